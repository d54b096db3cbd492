"""Columns that changed places: each holds what another one held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_mlops.core.faults.categories import unseen_share, usually_unseen
from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.numbers import is_far, is_like
from airflow_mlops.core.faults.summary import (
    FEWEST_ROWS,
    Categories,
    ColumnSummary,
    Numbers,
    Reference,
    TableSummary,
)

UNSEEN = 0.3
STRANGE = 0.25
IN_A_ROW = 3


def swapped(reference: Reference, window: TableSummary) -> Iterator[Fault]:
    """Columns that are not what they were, and of which each is what another of them was: two that changed
    places, or three and more in a row, as where a file has one column more. That one column alone looks like
    another is chance."""
    normal = {name: found for name in window.columns if (found := reference.of(name))}
    strange = [name for name in normal if _is_strange(window.columns[name], normal[name])]
    holds = {
        name: [other for other in strange if other != name and _is_what(window.columns[name], normal[other])]
        for name in strange
    }
    for name in strange:
        for other in holds[name]:
            if name in holds[other] and name < other:
                said = f"{name} holds what {other} held, and the other way round"
                yield Fault((name, other), "swapped", said)
    for name in strange:
        path = _path(name, holds)
        if len(path) > IN_A_ROW:
            said = f"it holds what {path[1]} held, and {len(path) - 2} more are shifted so"
            yield Fault((name,), "swapped", said)


def _path(name: str, holds: Mapping[str, Sequence[str]]) -> list[str]:
    """From a column to the one whose values it holds, and so on, by the first that is not in it yet."""
    path = [name]
    while (following := next((one for one in holds[path[-1]] if one not in path), None)) is not None:
        path.append(following)
    return path


def numbers_of(columns: Sequence[ColumnSummary]) -> list[Numbers]:
    """Those with enough numbers, the whole reference first; none where that has too few."""
    found = [one.numbers for one in columns]
    if not found or found[0] is None or found[0].count < FEWEST_ROWS:
        return []
    return [one for one in found if one is not None and one.count >= FEWEST_ROWS]


def categories_of(columns: Sequence[ColumnSummary]) -> list[Categories]:
    """As ``numbers_of``."""
    found = [one.categories for one in columns]
    if not found or found[0] is None or found[0].count < FEWEST_ROWS:
        return []
    return [one for one in found if one is not None and one.count >= FEWEST_ROWS]


def _is_strange(column: ColumnSummary, normal: Sequence[ColumnSummary]) -> bool:
    if (numbers := column.numbers) is not None and (known := numbers_of(normal)):
        return numbers.count >= FEWEST_ROWS and is_far(numbers, known, STRANGE)
    if (categories := column.categories) is not None and (listed := categories_of(normal)):
        if not (categories.complete and listed[0].complete and listed[0].listed):
            return False
        return unseen_share(categories, listed[0]) >= max(UNSEEN, 4 * usually_unseen(listed))
    return False


def _is_what(column: ColumnSummary, normal: Sequence[ColumnSummary]) -> bool:
    if (numbers := column.numbers) is not None and (known := numbers_of(normal)):
        return numbers.count >= FEWEST_ROWS and is_like(numbers, known)
    if (categories := column.categories) is not None and (listed := categories_of(normal)):
        return unseen_share(categories, listed[0]) <= 0.05 + usually_unseen(listed)
    return False
