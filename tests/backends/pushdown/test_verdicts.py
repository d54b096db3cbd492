"""What is pushed down to DuckDB, held against Great Expectations itself on the same rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.checks_gx import GreatExpectationsChecker
from airflow_mlops.backends.pushdown.asking import Found
from airflow_mlops.backends.pushdown.columns import read_table
from airflow_mlops.backends.pushdown.rows import opened
from airflow_mlops.backends.pushdown.running import LeftOver, run
from airflow_mlops.core.values import Expectation

from .frames import frame, suite


def outcomes(path: Path, expectations: list[Expectation]) -> dict[int, Found | LeftOver]:
    table = read_table(path)
    with opened(path, table) as rows:
        return run(dict(enumerate(expectations)), table, rows)


def differences(rows: pd.DataFrame, expectations: list[Expectation], path: Path) -> list[str]:
    """Where a verdict, a count or a number of ours is another than Great Expectations'."""
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(rows)))
    ours = {place: one for place, one in outcomes(path, expectations).items() if isinstance(one, Found)}
    asked = [expectations[place] for place in ours]
    theirs = GreatExpectationsChecker().check(pd.read_parquet(path), asked)
    told = []
    for expectation, one, other in zip(asked, ours.values(), theirs, strict=True):
        mine = (
            one.success,
            one.rows,
            one.unexpected,
            None if one.observed is None else f"{one.observed:.6g}",
        )
        if other.error is not None or mine != (other.success, other.rows, other.unexpected, other.observed):
            told.append(f"{expectation.type} {expectation.kwargs}: {mine}, not {other}, {other.error}")
    return told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "seed", "holes"), [(40, 0, True), (200, 1, True), (40, 2, False), (1, 3, False), (2, 4, True)]
)
def test_every_verdict_count_and_number_is_great_expectations_own(
    rows: int, seed: int, holes: bool, tmp_path: Path
) -> None:
    assert differences(frame(rows, seed, holes=holes), suite(), tmp_path / "rows.parquet") == []
