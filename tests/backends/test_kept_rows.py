"""Rows of a file by their numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_mlops.backends.kept_rows import names_in, rows_at, sample_of
from airflow_mlops.exceptions import DataRefused


@pytest.fixture
def path(tmp_path):
    rows = pd.DataFrame({"x": range(200_000), "plan": ["free", "pro"] * 100_000})
    rows.to_parquet(tmp_path / "rows.parquet", row_group_size=30_000)
    return tmp_path / "rows.parquet"


def test_the_rows_of_these_numbers_come_with_the_columns_that_are_there(path) -> None:
    found = rows_at(path, [0, 29_999, 30_000, 65_536, 199_999], ["x", "gone"])
    assert list(found.columns) == ["x"]
    assert found["x"].tolist() == [0, 29_999, 30_000, 65_536, 199_999]
    assert rows_at(path, [], ["x", "plan"]).shape == (0, 2)


def test_a_sample_is_no_larger_than_asked_in_order_and_the_same_each_time() -> None:
    few = sample_of(range(100_000), 500)
    assert len(set(few.tolist())) == 500
    assert few.tolist() == sorted(few.tolist()) == sample_of(range(100_000), 500).tolist()
    assert sample_of([3, 1, 2], 500).tolist() == [1, 2, 3]


def test_a_file_that_is_no_parquet_is_refused(tmp_path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"no rows")
    with pytest.raises(DataRefused, match="cannot be read as Parquet"):
        names_in(tmp_path / "rows.parquet")
