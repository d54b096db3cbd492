"""Rows cut into groups by what stands in their columns: categories, parts of a number, and both crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

_MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Grouping:
    """Every row is in one group: ``codes`` numbers the ``names``, which say what holds in a group. A code of
    -1 is a row that is left out."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    codes: Codes

    @property
    def sizes(self) -> Codes:
        """How many rows each group has."""
        import numpy as np

        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def only(self, groups: Sequence[int]) -> Grouping:
        """Some of the groups; all other rows are left out."""
        import numpy as np

        places = np.full(len(self.names) + 1, -1, dtype=np.int64)  # its last is where -1 leads
        places[list(groups)] = np.arange(len(groups))
        return Grouping(self.columns, tuple(self.names[group] for group in groups), places[self.codes])

    def largest(self, most: int) -> Grouping:
        """The groups with the most rows."""
        order = self.sizes.argsort(kind="stable")[::-1][:most]
        return self if len(self.names) <= most else self.only(sorted(order.tolist()))

    def rows_of_each(self) -> list[Codes]:
        """The positions of each group's rows, in the rows' order."""
        import numpy as np

        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(len(self.names) + 1))
        return [order[first:last] for first, last in pairwise(starts)]


def cut(
    frame: pd.DataFrame, columns: Sequence[str], *, bins: int, edges: Mapping[str, Sequence[float]]
) -> Grouping:
    """The groups of one column, or of several crossed. A column of numbers with more different values than
    ``bins`` is cut where ``edges`` says, else into ``bins`` parts with equally many rows; missing values are
    a group of their own."""
    whole = _one_column(frame[columns[0]], bins, edges.get(columns[0]))
    for column in columns[1:]:
        whole = crossed(whole, _one_column(frame[column], bins, edges.get(column)))
    return whole


def crossed(one: Grouping, other: Grouping) -> Grouping:
    """The groups that hold in both; only those that have rows."""
    import numpy as np

    both = one.codes * len(other.names) + other.codes
    left_out = (one.codes < 0) | (other.codes < 0)
    there, codes = np.unique(both[~left_out], return_inverse=True)
    whole = np.full(len(both), -1, dtype=np.int64)
    whole[~left_out] = codes
    names = tuple(
        f"{one.names[pair // len(other.names)]}, {other.names[pair % len(other.names)]}"
        for pair in there.tolist()
    )
    return Grouping((*one.columns, *other.columns), names, whole)


def _one_column(column: pd.Series, bins: int, edges: Sequence[float] | None) -> Grouping:
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if edges is not None or (is_number and column.nunique() > bins):
        return _parts_of_numbers(column, bins, edges)
    return _categories(column)


def _categories(column: pd.Series) -> Grouping:
    import pandas as pd

    codes, values = pd.factorize(column, sort=False, use_na_sentinel=False)
    order = sorted(range(len(values)), key=lambda index: (bool(pd.isna(values[index])), str(values[index])))
    shown = (_MISSING if pd.isna(values[index]) else category_text(values[index]) for index in order)
    names = tuple(f"{column.name}={text}" for text in shown)
    return Grouping((str(column.name),), names, _renumbered(codes, order))


def _renumbered(codes: Any, order: Sequence[int]) -> Codes:
    import numpy as np

    places = np.empty(len(order), dtype=np.int64)
    places[list(order)] = np.arange(len(order))
    renumbered: Codes = places[codes]
    return renumbered


def _parts_of_numbers(column: pd.Series, bins: int, edges: Sequence[float] | None) -> Grouping:
    import numpy as np

    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(values)
    if edges is None:
        edges = even_edges(values[known], bins)
    codes = np.searchsorted(np.asarray(edges), values, side="right")
    codes[~known] = len(edges) + 1
    there, codes = np.unique(codes, return_inverse=True)
    named = [*names_of_parts(str(column.name), edges), f"{column.name}={_MISSING}"]
    return Grouping((str(column.name),), tuple(named[index] for index in there), codes.astype(np.int64))


def even_edges(values: Any, bins: int) -> list[float]:
    """Quantiles in as few digits as leave the parts about as they are."""
    import numpy as np

    exact = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    smallest = np.bincount(np.searchsorted(exact, values, side="right"), minlength=len(exact) + 1).min()
    for digits in range(2, 12):
        edges = np.array([float(f"{edge:.{digits}g}") for edge in exact])
        sizes = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        if sizes.min() >= 0.9 * smallest and (np.diff(edges) > 0).all():
            return [float(edge) for edge in edges]
    return [float(edge) for edge in exact]


def names_of_parts(column: str, edges: Sequence[float]) -> list[str]:
    said = [f"{edge:.12g}" for edge in edges]
    between = [f"{low} <= {column} < {high}" for low, high in pairwise(said)]
    return [f"{column} < {said[0]}", *between, f"{column} >= {said[-1]}"]


def category_text(value: Any) -> str:
    """A category as a person reads it: ``1``, not ``1.0``; no line breaks, and not a page of it."""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return " ".join(str(value).split())[:60]
