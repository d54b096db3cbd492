"""Which upstream faults a window of rows has: every rule, in the order in which they explain each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from airflow_mlops.core.faults.categories import category_faults
from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.holes import joins_lost, null_fault
from airflow_mlops.core.faults.numbers import number_faults, type_fault
from airflow_mlops.core.faults.places import categories_of, numbers_of, swapped
from airflow_mlops.core.faults.rows import RowNames, row_faults
from airflow_mlops.core.faults.summary import FEWEST_ROWS, ColumnSummary, Reference, TableSummary


def faults_of(
    reference: Reference,
    window: TableSummary,
    names: RowNames,
    *,
    ignore: Collection[str] = (),
    by_hour: bool = True,
) -> tuple[Fault, ...]:
    """Those of the rows first, then one for each column at fault, in the order of the columns.

    A change that no fault is known to make (a mean that moved, another variance, a new category that grows,
    a season) is drift, and not reported here. What one stretch of the reference shows is no fault in another.
    Of a window of fewer than 30 rows, or columns with fewer values, nothing is said. Without ``by_hour`` the
    hours of the day are not compared: of a part of a day they tell nothing, nor where the times mean another
    moment than the reference's.
    """
    if window.rows < FEWEST_ROWS or reference.whole.rows < FEWEST_ROWS:
        return ()
    found: dict[str, Fault] = {}
    for fault in _in_turn(reference, window):
        if not any(column in found or column in ignore for column in fault.columns):
            found.update(dict.fromkeys(fault.columns, fault))
    order = dict.fromkeys([*window.columns, *reference.whole.columns])
    of_columns = dict.fromkeys(found[name] for name in order if name in found)
    of_rows = (
        fault
        for fault in row_faults(names, reference, window, by_hour=by_hour)
        if fault.columns[0] not in ignore
    )
    return (*of_rows, *of_columns)


def _in_turn(reference: Reference, window: TableSummary) -> Iterator[Fault]:
    """Columns that are missing together before each of them, columns that changed places before units."""
    yield from _not_there(reference, window)
    yield from joins_lost(reference, window)
    for name, column in window.columns.items():
        normal = reference.of(name)
        if normal and column.rows >= FEWEST_ROWS:
            yield from _of_form(column, normal)
    yield from swapped(reference, window)
    for name, column in window.columns.items():
        normal = reference.of(name)
        if normal:
            yield from _of_values(column, normal)


def _not_there(reference: Reference, window: TableSummary) -> Iterator[Fault]:
    for name in reference.whole.columns:
        if name not in window.columns:
            yield Fault((name,), "missing_column", "the column is not there any more")


def _of_form(column: ColumnSummary, normal: tuple[ColumnSummary, ...]) -> Iterator[Fault]:
    for fault in (type_fault(column, normal), null_fault(column, normal)):
        if fault is not None:
            yield fault


def _of_values(column: ColumnSummary, normal: tuple[ColumnSummary, ...]) -> Iterator[Fault]:
    numbers, categories = column.numbers, column.categories
    if numbers is not None and numbers.count >= FEWEST_ROWS and (known := numbers_of(normal)):
        yield from number_faults(column.name, numbers, known)
    if categories is not None and categories.count >= FEWEST_ROWS and (listed := categories_of(normal)):
        yield from category_faults(column.name, categories, listed)
