"""Makes the reference profile: a column at a time, so that memory holds one column and not the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.categories import CategoryCounts, CategoryProfile, most_frequent
from airflow_mlops.backends.drift.numbers import EDGES, SLICE_EDGES, profile_numbers
from airflow_mlops.backends.drift.plain import codes, numbers
from airflow_mlops.backends.drift.profile import ALL_ROWS, Part, Profile
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.drift.slices import Cut, cuts_of
from airflow_mlops.backends.drift.texts import BATCH_TEXTS, MEASURES, Dictionary, measure_name, measured
from airflow_mlops.core.drift import DriftPlan
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Members = Mapping[str, NDArray[np.int64]]


def profile_of(reference: ParquetRows, plan: DriftPlan) -> Profile:
    """The profile of these rows. Raises ``DataRefused`` where a column is missing or there are no rows."""
    cuts, members = _slices(reference, plan)
    parts: dict[tuple[str, str], Part] = {}
    words: dict[str, tuple[str, ...]] = {}
    rows = 0
    for one in plan.columns:
        match one.kind:
            case "numeric":
                values = numbers(reference.column(one.column))
                rows = len(values)
                parts.update(_of_numbers(one.column, values, members))
            case "categorical":
                column = reference.column(one.column, encoded=True)
                rows = len(column)
                parts.update(_of_categories(one.column, column, members))
            case "text":
                known = words[one.column] = _dictionary(reference, one.column)
                counts, unseen = _measured(reference, one.column, known)
                rows = len(counts)
                parts.update(_of_numbers(measure_name(one.column, MEASURES[0]), counts, members))
                # The texts of even number are the dictionary: nothing in them is unseen.
                parts.update(_of_numbers(measure_name(one.column, MEASURES[1]), unseen, members, step=2))
    if not rows:
        raise DataRefused(f"the {reference.name} data has no rows: drift cannot be scored")
    return Profile(rows, parts, words, cuts)


def _slices(reference: ParquetRows, plan: DriftPlan) -> tuple[tuple[Cut, ...], Members]:
    """The cuts, and of each slice the places of its rows."""
    import numpy as np

    kinds = {one.column: one.kind for one in plan.columns}
    wanted = {name for cut in plan.slices.cuts for name in cut}
    columns = {name: reference.column(name, encoded=kinds[name] == "categorical") for name in wanted}
    cuts = tuple(cuts_of(plan.slices, kinds, columns))
    members: dict[str, Any] = {}
    for cut in cuts:
        slices = cut.slices(columns)
        members |= {name: np.flatnonzero(slices == number) for number, name in enumerate(cut.names)}
    return cuts, members


def _of_numbers(
    name: str, values: NDArray[np.float64], members: Members, *, step: int = 1
) -> Iterator[tuple[tuple[str, str], Part]]:
    yield (ALL_ROWS, name), profile_numbers(values[step - 1 :: step], EDGES)
    for slice_, places in members.items():
        if step > 1:
            places = places[places % step == step - 1]
        yield (slice_, name), profile_numbers(values[places], SLICE_EDGES)


def _of_categories(name: str, column: Any, members: Members) -> Iterator[tuple[tuple[str, str], Part]]:
    places, found = codes(column)
    names = most_frequent(places, found)
    counts = CategoryCounts(names)
    recoded = counts.recoded(places, found)
    counts.add(recoded)
    yield (ALL_ROWS, name), CategoryProfile(names, *counts.of())
    for slice_, at in members.items():
        own = CategoryCounts(names)
        own.add(recoded[at])
        yield (slice_, name), CategoryProfile(names, *own.of())


def _dictionary(reference: ParquetRows, column: str) -> tuple[str, ...]:
    gathered = Dictionary()
    for batch in reference.batches([column], rows=BATCH_TEXTS):
        gathered.add(batch.column(column))
    return gathered.words


def _measured(reference: ParquetRows, column: str, known: tuple[str, ...]) -> tuple[Any, Any]:
    import numpy as np
    import pyarrow as pa

    words = pa.array(known, pa.string())
    found = [measured(batch.column(column), words) for batch in reference.batches([column], rows=BATCH_TEXTS)]
    if not found:
        return np.empty(0), np.empty(0)
    counts, unseen = zip(*found, strict=True)
    return np.concatenate(counts), np.concatenate(unseen)
