"""One pass over the rows that are compared: every column, in every slice, counted as the profile asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.categories import CategoryCounts
from airflow_mlops.backends.drift.numbers import NumberCounts
from airflow_mlops.backends.drift.plain import codes, numbers
from airflow_mlops.backends.drift.profile import ALL_ROWS, Profile
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.texts import MEASURES, measure_name, measured
from airflow_mlops.core.drift import ColumnPlan, DriftPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]


class Scan:
    """Counts rows batch after batch; what it holds depends on columns and slices, not on the rows."""

    def __init__(self, profile: Profile, plan: DriftPlan) -> None:
        self._profile, self._plan = profile, plan
        self.rows = 0
        self._slices = [(ALL_ROWS, -1, 0)] + [
            (name, cut, number)
            for cut, one in enumerate(profile.cuts)
            for number, name in enumerate(one.names)
        ]
        self._numbers: dict[tuple[str, str], NumberCounts] = {}
        self._categories: dict[str, list[CategoryCounts]] = {}
        for column in plan.columns:
            self._prepare(column)
        self._known = {name: _as_array(words) for name, words in profile.words.items()}
        self._slice_rows = {name: 0 for name, _, _ in self._slices[1:]}

    def read(self, current: ParquetRows) -> Iterator[Any]:
        """The batches to add. Raises ``DataRefused``."""
        encoded = [one.column for one in self._plan.columns if one.kind == "categorical"]
        return current.batches([one.column for one in self._plan.columns], encoded=encoded)

    def add(self, batch: Any) -> None:
        """Count a record batch that has the plan's columns."""
        self.rows += batch.num_rows
        groups = [_Grouping(cut.slices(_columns(batch)), len(cut.names)) for cut in self._profile.cuts]
        for name, cut, number in self._slices[1:]:
            self._slice_rows[name] += groups[cut].size(number)
        for one in self._plan.columns:
            column = batch.column(one.column)
            if one.kind == "categorical":
                self._add_categories(one.column, column, groups)
                continue
            for name, values in self._measures(one, column):
                self._add_numbers(name, values, groups)

    def numbers(self, name: str, slice_: str = ALL_ROWS) -> NumberCounts:
        """What was counted of a column of numbers, or a text's measure."""
        return self._numbers[slice_, name]

    def categories(self, name: str, slice_: str = ALL_ROWS) -> tuple[Codes, int, int]:
        """Of a column of categories the rows of each known one, of unknown ones, and without any."""
        _, cut, number = next(one for one in self._slices if one[0] == slice_)
        return self._categories[name][cut + 1].of(number)

    def new_names(self, name: str) -> int:
        """How many categories were met that the reference does not know."""
        return self._categories[name][0].new_names

    def slice_rows(self, slice_: str) -> int:
        """How many rows were met in a slice."""
        return self._slice_rows[slice_]

    def _prepare(self, one: ColumnPlan) -> None:
        if one.kind == "categorical":
            known = self._profile.categories(one.column).names
            groups = [1, *(len(cut.names) for cut in self._profile.cuts)]
            self._categories[one.column] = [CategoryCounts(known, count) for count in groups]
            return
        for name in parts_of(one):
            for slice_, _, _ in self._slices:
                edges = self._profile.numbers(name, slice_).edges
                self._numbers[slice_, name] = NumberCounts(edges, with_sums=one.method == "wasserstein")

    def _measures(self, one: ColumnPlan, column: Any) -> Iterator[tuple[str, Any]]:
        if one.kind == "numeric":
            yield one.column, numbers(column)
        else:
            yield from zip(parts_of(one), measured(column, self._known[one.column]), strict=True)

    def _add_numbers(self, name: str, values: Any, groups: list[_Grouping]) -> None:
        self._numbers[ALL_ROWS, name].add(values)
        for slice_, cut, number in self._slices[1:]:
            self._numbers[slice_, name].add(groups[cut].of(values, number))

    def _add_categories(self, name: str, column: Any, groups: list[_Grouping]) -> None:
        counts = self._categories[name]
        recoded = counts[0].recoded(*codes(column))
        counts[0].add(recoded)
        for number, grouping in enumerate(groups):
            counts[number + 1].add(recoded, grouping.codes)


class _Grouping:
    """A batch's rows by slice: sorted once for all columns."""

    def __init__(self, slices: Codes, count: int) -> None:
        import numpy as np

        self.codes = slices
        self._order = np.argsort(slices, kind="stable")
        self._starts = np.searchsorted(slices[self._order], np.arange(count + 1))

    def size(self, number: int) -> int:
        return int(self._starts[number + 1] - self._starts[number])

    def of(self, values: Any, number: int) -> Any:
        """The values of a slice's rows."""
        return values[self._order[self._starts[number] : self._starts[number + 1]]]


def parts_of(one: ColumnPlan) -> list[str]:
    """What of a column is counted: itself, or a text's measures."""
    if one.kind != "text":
        return [one.column]
    return [measure_name(one.column, measure) for measure in MEASURES]


def _columns(batch: Any) -> dict[str, Any]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def _as_array(words: tuple[str, ...]) -> Any:
    import pyarrow as pa

    return pa.array(words, pa.string())
