"""Which slice each row of a batch is in, by rules that the reference has fixed: categories, and where numbers
are parted, do not move with the rows that are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.categories import most_frequent
from airflow_mlops.backends.drift.plain import category, codes, numbers
from airflow_mlops.backends.gates.groups import category_text, even_edges, names_of_parts
from airflow_mlops.core.drift import SlicePlan
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

_MOST_GROUPS = 100


@dataclass(frozen=True, slots=True)
class Grouped:
    """A column's groups: its categories (or the few values of a column of numbers, as text), or the parts
    between ``edges``. The last group is of the missing values."""

    column: str
    categories: tuple[str, ...] | None
    edges: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What holds in each group."""
        if self.categories is None:
            named = names_of_parts(self.column, self.edges)
        else:
            named = [f"{self.column}={category_text(one)}" for one in self.categories]
        return (*named, f"{self.column}=missing")

    def codes(self, values: Any) -> Codes:
        """The group of each value; -1 where the reference has none for it."""
        import numpy as np

        if self.categories is None:
            found = numbers(values)
            parts: Codes = np.searchsorted(np.asarray(self.edges), found, side="right")
            return np.where(np.isnan(found), len(self.edges) + 1, parts)
        places, names = codes(values)
        known = {name: place for place, name in enumerate(self.categories)}
        own = np.fromiter((known.get(name, -1) for name in names), np.int64, len(names))
        placed: Codes = np.append(own, len(self.categories))[places]
        return placed


@dataclass(frozen=True, slots=True)
class Cut:
    """The groups of one column, or of several crossed. ``kept`` are those that are slices, by their number
    among all that could be, and ``rows`` how many rows the reference has of each."""

    columns: tuple[Grouped, ...]
    kept: tuple[int, ...]
    rows: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What holds in each slice."""
        return tuple(self._name(code) for code in self.kept)

    def slices(self, column: Mapping[str, Any]) -> Codes:
        """The slice of each row, numbered as ``names``; -1 is none of them."""
        import numpy as np

        places = np.full(self._possible + 1, -1, dtype=np.int64)  # its last is where -1 leads
        places[list(self.kept)] = np.arange(len(self.kept))
        found: Codes = places[_crossed(self.columns, column)]
        return found

    @property
    def _possible(self) -> int:
        return prod(len(one.names) for one in self.columns)

    def _name(self, code: int) -> str:
        said = []
        for one in reversed(self.columns):
            code, place = divmod(code, len(one.names))
            said.append(one.names[place])
        return ", ".join(reversed(said))


def cuts_of(plan: SlicePlan, kinds: Mapping[str, ColumnKind], column: Mapping[str, Any]) -> Iterator[Cut]:
    """The cuts of a plan by the reference, whose columns are given: the largest groups, if large enough."""
    import numpy as np

    for names in plan.cuts:
        columns = tuple(_grouped(name, kinds[name], column[name], plan) for name in names)
        found = _crossed(columns, column)
        groups, rows = np.unique(found[found >= 0], return_counts=True)
        order = np.argsort(-rows, kind="stable")[: plan.most]
        order = np.sort(order[rows[order] >= plan.minimum_rows])
        yield Cut(columns, tuple(groups[order].tolist()), tuple(rows[order].tolist()))


def _crossed(columns: Sequence[Grouped], column: Mapping[str, Any]) -> Codes:
    """One number for each combination of groups; -1 where a value has no group."""
    import numpy as np

    whole = columns[0].codes(column[columns[0].column]).astype(np.int64)
    nowhere = whole < 0
    for one in columns[1:]:
        own = one.codes(column[one.column])
        whole, nowhere = whole * len(one.names) + own, nowhere | (own < 0)
    return np.where(nowhere, -1, whole)


def _grouped(name: str, kind: ColumnKind, values: Any, plan: SlicePlan) -> Grouped:
    if kind == "categorical":
        places, names = codes(values)
        return Grouped(name, tuple(sorted(most_frequent(places, names, _MOST_GROUPS))))
    if name in plan.edges:
        return Grouped(name, None, tuple(plan.edges[name]))
    import numpy as np

    found = numbers(values)
    found = found[np.isfinite(found)]
    distinct = np.unique(found)
    if len(distinct) <= plan.bins:
        return Grouped(name, tuple(category(value) for value in distinct.tolist()))
    return Grouped(name, None, tuple(even_edges(found, plan.bins)))
