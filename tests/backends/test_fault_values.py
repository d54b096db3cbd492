"""Columns of numbers that are something else, or out of all proportion."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.faults.table import TableScan
from airflow_mlops.core.faults import Reference, RowNames, faults_of

ROWS = 300


def made(seed: int) -> pd.DataFrame:
    start = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=30 * seed)
    return pd.DataFrame(
        {
            "age": np.random.default_rng(seed).normal(40, 10, ROWS).round(3),
            "at": pd.date_range(start, periods=ROWS, freq="h"),
            "id": [f"{seed}-{number}" for number in range(ROWS)],
        }
    )


BEFORE, NOW = made(1), made(2)


def summary(rows: pd.DataFrame):
    scan = TableScan.of({"age": "numeric"}, time="at", key="id", salt="m")
    scan.add(rows)
    return scan.summary()


def faults(age):
    return faults_of(Reference(summary(BEFORE)), summary(NOW.assign(age=age)), RowNames("id", "at"))


@pytest.mark.parametrize(
    "age",
    [
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-01", tz="UTC"),
        pd.Timedelta("1s"),
        pd.Series([[1.0]] * ROWS),
        pd.Series([{"years": 1}] * ROWS),
        NOW["age"].astype(str),
    ],
    ids=["time", "time of a zone", "length", "list", "mapping", "text"],
)
def test_numbers_that_come_as_something_else_are_a_fault_of_their_type(age) -> None:
    (fault,) = faults(age)
    assert (fault.columns, fault.kind) == (("age",), "type")
    assert "300 of 300 values came as text, times or lists, not as numbers" in str(fault)


@pytest.mark.parametrize("kind", [Decimal, float, np.float64, np.float32])
def test_numbers_of_another_kind_are_no_fault(kind) -> None:
    assert not faults(pd.Series([kind(str(one)) for one in NOW["age"]], dtype=object))


@pytest.mark.parametrize("number", [1e9, 1e100, 1e290, 1e306, 1.7e308, -1.7e308])
@pytest.mark.parametrize("share", [1, 3, 10, ROWS // 2, ROWS])
def test_numbers_out_of_all_proportion_are_looked_at_like_others(number, share) -> None:
    found = faults(NOW["age"].where(np.arange(ROWS) >= share, number))
    assert share < ROWS // 2 or found
    assert all(one.columns == ("age",) for one in found)
