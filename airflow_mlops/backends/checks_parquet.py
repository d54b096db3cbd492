"""Expectations on a Parquet file of any size: pushed down to DuckDB where that gives Great Expectations' own
verdict, and by Great Expectations on a bounded sample where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_mlops.backends.base import CheckedFile, Checker, ShownRows
from airflow_mlops.backends.parquet_places import drawn_places, rows_at
from airflow_mlops.backends.pushdown.asking import Found
from airflow_mlops.backends.pushdown.columns import Table, read_table
from airflow_mlops.backends.pushdown.rows import opened
from airflow_mlops.backends.pushdown.running import LeftOver, run
from airflow_mlops.core.values import CheckedExpectation, Expectation
from airflow_mlops.exceptions import DataRefused

SAMPLE_ROWS = 100_000
SHOWN_ROWS = 10

_NOT_BY_ROW = ("expect_column_values_to_be_unique",)
_TOLD_BY_A_SAMPLE = (
    "expect_column_values_",
    "expect_column_value_",
    "expect_column_pair_values_",
    "expect_column_pair_cramers_",
    "expect_multicolumn_",
    "expect_select_column_values_",
    "expect_column_mean_",
    "expect_column_median_",
    "expect_column_stdev_",
    "expect_column_quantile_values_",
    "expect_column_proportion_of_non_null_",
    "expect_column_kl_divergence_",
    "expect_column_most_common_value_",
    "expect_column_type_",
    "expect_column_to_exist",
    "expect_table_column",
)
"""About one row, a share of the rows, or the columns: a sample is like the whole. An extreme, a sum, a count
or what is there twice is not in it."""


@dataclass(frozen=True, slots=True)
class ParquetChecker:
    """``frames`` is Great Expectations on a frame, for what is not pushed down: on all rows where there are
    at most ``sample_rows``, else on so many drawn at random, in their order."""

    frames: Checker
    sample_rows: int = SAMPLE_ROWS

    def check_file(self, path: Path, expectations: Sequence[Expectation]) -> CheckedFile:
        """One result per expectation, in their order. Raises ``DataRefused`` where the file is no Parquet, or
        Great Expectations refuses an expectation."""
        table = _read(path)
        with opened(path, table) as rows:
            outcomes = run(dict(enumerate(expectations)), table, rows)
            pushed = {place: one for place, one in outcomes.items() if isinstance(one, Found)}
            at_fault = {
                place: ShownRows(tuple(table.columns), shown)
                for place, one in pushed.items()
                if not one.success and one.fault and (shown := rows.at_fault(one.fault, SHOWN_ROWS))
            }
        left = {place: one.reason for place, one in outcomes.items() if isinstance(one, LeftOver)}
        checked = {place: _checked(expectations[place], one) for place, one in pushed.items()}
        checked |= self._left_over(path, table, {place: expectations[place] for place in left}, left)
        return CheckedFile(
            rows=table.rows,
            expectations=tuple(checked[place] for place in range(len(expectations))),
            at_fault=at_fault,
        )

    def columns(self, path: Path) -> list[str]:
        """The names of a file's columns."""
        return list(_read(path).columns)

    def _left_over(
        self, path: Path, table: Table, asked: Mapping[int, Expectation], reasons: Mapping[int, str]
    ) -> dict[int, CheckedExpectation]:
        whole = table.rows <= self.sample_rows
        told = {place: one for place, one in asked.items() if whole or _told_by_a_sample(one)}
        checked = {
            place: CheckedExpectation(one, success=False, error=self._refusal(table, reasons[place]))
            for place, one in asked.items()
            if place not in told
        }
        if not told:
            return checked
        drawn = drawn_places(table.rows, self.sample_rows)
        frame = rows_at(path, drawn, _mentioned(told.values(), table))
        found = self.frames.check(frame, list(told.values()))
        of = None if whole else table.rows
        return checked | {
            place: replace(one, sampled_from=of) for place, one in zip(told, found, strict=True)
        }

    def _refusal(self, table: Table, reason: str) -> str:
        return (
            f"a sample does not tell it, and {table.rows} rows are more than the {self.sample_rows} that "
            f"Great Expectations is given; it is not pushed down to DuckDB because of {reason}. "
            "Change that, or say it by another expectation"
        )


def _read(path: Path) -> Table:
    import pyarrow as pa

    try:
        return read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRefused(f"{path} cannot be read as Parquet: {error}") from error


def _checked(expectation: Expectation, found: Found) -> CheckedExpectation:
    return CheckedExpectation(
        expectation=expectation,
        success=found.success,
        rows=found.rows,
        unexpected=found.unexpected,
        observed=None if found.observed is None else f"{found.observed:.6g}",
    )


def _told_by_a_sample(expectation: Expectation) -> bool:
    return expectation.type.startswith(_TOLD_BY_A_SAMPLE) and expectation.type not in _NOT_BY_ROW


def _mentioned(expectations: Iterable[Expectation], table: Table) -> list[str] | None:
    """The columns that a frame for these expectations must have, or None for all."""
    expectations = list(expectations)
    by_name = (
        one.type.startswith("expect_column_") and "column_index" not in one.kwargs for one in expectations
    )
    if not all(by_name):
        return None
    said = list(_texts([dict(one.kwargs) for one in expectations]))
    return [name for name in table.columns if any(name in text for text in said)] or None


def _texts(value: Any) -> Iterator[str]:
    """A name may stand alone, in a list, or within a ``row_condition``."""
    match value:
        case str():
            yield value
        case dict():
            yield from _texts([*value.values()])
        case list() | tuple():
            for one in value:
                yield from _texts(one)
