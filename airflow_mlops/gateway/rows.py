"""Rows of a request: what the models predict from, and the bytes they came in, which the log keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.request_rows import Shape
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Signature:
    """What a row may hold: every feature is required (null is a missing value), key and time are not.

    Not slotted: ``names`` is asked for on every call.
    """

    columns: Mapping[str, ColumnKind]
    key_column: str | None = None
    time_column: str | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return tuple(self.columns)

    def fields(self) -> set[str]:
        """Every field name a row may have."""
        return {*self.columns, *(name for name in (self.key_column, self.time_column) if name)}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A body as it came. ``key_base`` begins the keys of rows that have none of their own."""

    body: bytes
    shape: Shape
    signature: Signature
    key_base: str


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Checked rows. ``values`` has one tuple a row, with the features in the signature's order: a number or
    None, a category or None, a text. ``numbers`` are the rows' places in ``source``; None means all of it.
    """

    keys: Sequence[str]
    values: Sequence[tuple[Any, ...]]
    source: Source
    numbers: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, numbers: Sequence[int]) -> Rows:
        """These rows, in this order; all of them without a copy."""
        if len(numbers) == len(self.keys):
            return self
        chosen = list(numbers)
        places = chosen if self.numbers is None else [self.numbers[number] for number in chosen]
        return Rows([self.keys[n] for n in chosen], [self.values[n] for n in chosen], self.source, places)


class Frames:
    """Makes frames with exactly a model's columns, in its order, out of the rows of many requests."""

    def __init__(self, columns: Mapping[str, ColumnKind]) -> None:
        self._columns = columns
        self._numeric = all(kind == "numeric" for kind in columns.values())
        self._index: Any = None

    def frame(self, parts: Sequence[Rows]) -> pd.DataFrame:
        """One conversion for the whole batch. Raises ``KeyError`` if the rows lack a column of the model:
        they were checked against another version."""
        import numpy as np
        import pandas as pd

        rows = list(chain.from_iterable(self._ordered(part) for part in parts))
        if self._numeric:
            # One two-dimensional block: ten times cheaper than a dict of columns for a single row.
            if self._index is None:
                # Objects, since scikit-learn turns the names into such at each call.
                self._index = pd.Index(list(self._columns), dtype=object)
            return pd.DataFrame(np.array(rows, dtype=np.float64), columns=self._index, copy=False)
        columns = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        return pd.DataFrame(
            {name: array_of(kind, columns[name]) for name, kind in self._columns.items()}, copy=False
        )

    def _ordered(self, part: Rows) -> Sequence[tuple[Any, ...]]:
        names = part.source.signature.names
        if names == tuple(self._columns):
            return part.values
        places = {name: place for place, name in enumerate(names)}
        chosen = [places[name] for name in self._columns]
        pick: Callable[[Any], Any] = itemgetter(*chosen)
        return [pick(row) if len(chosen) > 1 else (pick(row),) for row in part.values]


def array_of(kind: ColumnKind, values: Sequence[Any]) -> Any:
    """A column: float64 with NaN for a missing number, or objects."""
    import numpy as np

    if kind == "numeric":
        return np.array(values, dtype=np.float64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
