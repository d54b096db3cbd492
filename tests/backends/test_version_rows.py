"""The kept answers of a window, by version."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from airflow_mlops.backends.version_rows import leave_out, rows_of_versions


def test_rows_of_a_version_are_counted_and_left_out_in_order_and_type(tmp_path) -> None:
    rows = pd.DataFrame(
        {"version": ["2", "10", "2", None], "age": [1.0, 2.0, 3.0, 4.0], "plan": list("abcd")}
    )
    whole, rest = tmp_path / "whole.parquet", tmp_path / "rest.parquet"
    rows.to_parquet(whole, row_group_size=2)
    assert rows_of_versions(whole) == {"10": 1, "2": 2}
    leave_out(whole, ["2"], rest)
    assert pd.read_parquet(rest)["age"].tolist() == [2.0, 4.0]
    assert pq.read_schema(rest).equals(pq.read_schema(whole))
