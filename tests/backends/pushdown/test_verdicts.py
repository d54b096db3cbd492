"""What is pushed down to DuckDB, held against Great Expectations itself on the same rows."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.checks_gx import GreatExpectationsChecker
from airflow_mlops.backends.pushdown.asking import Found
from airflow_mlops.backends.pushdown.columns import read_table
from airflow_mlops.backends.pushdown.rows import opened
from airflow_mlops.backends.pushdown.running import LeftOver, run
from airflow_mlops.backends.pushdown.translators import TRANSLATORS
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
        mine, its = (one.success, one.rows, one.unexpected), (other.success, other.rows, other.unexpected)
        if other.error is not None or mine != its or not _alike(one.observed, other.observed):
            told.append(f"{expectation.type} {expectation.kwargs}: {one}, not {other}, {other.error}")
    return told


def _alike(number: float | None, text: str | None) -> bool:
    """pandas adds 32-bit floats up as such: the fifth digit is its own."""
    if number is None or text is None:
        return number is None and text is None
    return number == pytest.approx(float(text), rel=1e-4, nan_ok=True)


KINDS = {
    "holes": (40, 0, True),
    "many": (200, 1, True),
    "no holes": (40, 2, False),
    "one row": (1, 3, False),
    "two rows": (2, 4, True),
    "no rows": (0, 5, True),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_verdict_count_and_number_is_great_expectations_own(kind: str, tmp_path: Path) -> None:
    """A share of the suite on each frame; ``MLOPS_ALL_CHECKS=1`` asks everything of all, for minutes."""
    rows, seed, holes = KINDS[kind]
    share = 1 if os.environ.get("MLOPS_ALL_CHECKS") else 19
    asked = suite()[list(KINDS).index(kind) * 3 :: share]
    assert differences(frame(rows, seed, holes=holes), asked, tmp_path / "rows.parquet") == []


def test_every_translator_answers_somewhere(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(frame(40))))
    first = {one.type: one for one in reversed(suite())}
    asked = list(first.values())
    found = outcomes(path, asked)
    answered = {asked[place].type for place, one in found.items() if isinstance(one, Found)}
    assert set(TRANSLATORS) - answered == set()


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"column": "gone", "min_value": 1}, "a column that the data do not have"),
        ({"column": "whole", "min_value": "1"}, "min_value, which is no finite number"),
        ({"column": "whole", "min_value": True}, "min_value, which is no finite number"),
        ({"column": "whole", "min_value": 2, "max_value": 1}, "bounds in the wrong order"),
        ({"column": "whole", "min_value": 1, "mostly": 1.5}, "mostly, which is no share"),
        ({"column": "whole", "min_value": 1, "meta": {}}, "the argument meta"),
        ({"column": "word", "min_value": 1}, "a bound on text"),
        ({"column": "whole", "min_value": 1, "row_condition": "whole > 1"}, "without condition_parser"),
        (
            {"column": "whole", "min_value": 1, "row_condition": "at > 1", "condition_parser": "pandas"},
            "a row_condition on at",
        ),
    ],
)
def test_arguments_that_great_expectations_would_read_otherwise_are_left_to_it(
    kwargs: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(frame(5))))
    (outcome,) = outcomes(path, [Expectation("expect_column_values_to_be_between", kwargs)]).values()
    assert isinstance(outcome, LeftOver)
    assert reason in outcome.reason


def test_columns_that_differ_in_case_alone_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = pd.DataFrame({"size": [1, 2], "Size": [10, 20], "v": [1, 1], "n": [2, 2]})
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(rows)))
    asked = [
        *(Expectation("expect_column_max_to_be_between", {"column": name, "max_value": 5}) for name in rows),
        Expectation("expect_column_most_common_value_to_be_in_set", {"column": "n", "value_set": [2]}),
    ]
    found = [one.success for one in outcomes(path, asked).values() if isinstance(one, Found)]
    assert found == [True, False, True, True, True]


def test_a_bound_on_32_bit_floats_is_rounded_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = pd.DataFrame({"narrow": [0.1, 0.3]}).astype("float32")
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(rows)))
    asked = [
        Expectation("expect_column_max_to_be_between", {"column": "narrow", "max_value": high})
        for high in (0.3, 0.29)
    ]
    assert [one.success for one in outcomes(path, asked).values() if isinstance(one, Found)] == [True, False]


def test_names_and_values_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    odd = 'a"; DROP VIEW data; --'
    rows = pd.DataFrame({odd: ["'; DROP VIEW data; --", "b"]})
    path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(rows)))
    asked = Expectation("expect_column_values_to_be_in_set", {"column": odd, "value_set": [rows[odd][0]]})
    (found,) = outcomes(path, [asked]).values()
    assert isinstance(found, Found)
    assert (found.rows, found.unexpected) == (2, 1)
