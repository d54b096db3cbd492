"""Columns of every kind as numbers, so that rows have distances and trees have splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.drift.plain import category
from airflow_mlops.backends.drift.texts import Dictionary, measured
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST_ROWS = 50
MOST_CATEGORIES = 30
"""Of one column; rarer ones count as one."""


def sampled(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """At most so many rows, drawn at random, the same ones each time."""
    return frame if len(frame) <= rows else frame.sample(rows, random_state=seed)


def two_samples(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Mapping[str, ColumnKind], rows: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At most so many rows of each side. Raises ``DataRefused`` where there are too few, or no columns."""
    if not columns:
        raise DataRefused("none of these features is both in the reference and in the endpoint's log")
    fewest = min(len(reference), len(current))
    if fewest < FEWEST_ROWS:
        raise DataRefused(f"{fewest} rows on one side are too few; {FEWEST_ROWS} are needed")
    return sampled(reference, rows, seed), sampled(current, rows, seed)


def numbered(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Mapping[str, ColumnKind]
) -> tuple[dict[str, list[int]], np.ndarray[Any, Any], np.ndarray[Any, Any], list[bool]]:
    """Both frames as matrices with NaN for what is missing; which matrix columns stand for which column, and
    which of them hold a category's number.

    The categories are numbered by how frequent they are in both frames together. A text becomes the two
    numbers that ``drift.texts`` measures of it; every other row of the reference is then its dictionary, and
    no longer a row: it would know each of its own words.
    """
    import numpy as np

    places: dict[str, list[int]] = {}
    before: list[Any] = []
    after: list[Any] = []
    categorical: list[bool] = []
    known = reference.iloc[::2]
    if "text" in columns.values():
        reference = reference.iloc[1::2]
    for name, kind in columns.items():
        if kind == "text":
            pairs = _measures(known[name], reference[name], current[name])
        else:
            pairs = [(_codes if kind == "categorical" else _floats)(reference[name], current[name])]
        places[name] = list(range(len(before), len(before) + len(pairs)))
        before += [ours for ours, _ in pairs]
        after += [theirs for _, theirs in pairs]
        categorical += [kind == "categorical"] * len(pairs)
    return places, np.column_stack(before), np.column_stack(after), categorical


def spaced(
    reference: np.ndarray[Any, Any], current: np.ndarray[Any, Any], categorical: Sequence[bool]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Numbered matrices as points with Euclidean distances: numbers in standard deviations of both frames
    together, missing ones at the mean with a coordinate of their own, and one coordinate a category.

    Each category lies 1 away from each other one. A column without spread has no distances.
    """
    import numpy as np

    rows, both = len(reference), np.vstack([reference, current])
    parts: list[Any] = []
    for place, is_category in enumerate(categorical):
        values = both[:, place]
        missing = np.isnan(values)
        if is_category:
            codes = np.where(missing, -1, values)
            parts += [(codes == code) / np.sqrt(2) for code in np.unique(codes)]
            continue
        seen = values[~missing]
        deviation = float(seen.std()) if len(seen) else 0.0
        middle = float(seen.mean()) if len(seen) else 0.0
        if deviation > 0:
            parts.append(np.where(missing, 0.0, (values - middle) / deviation))
        if missing.any() and not missing.all():
            parts.append(missing.astype("float64"))
    points = np.column_stack(parts) if parts else np.zeros((len(both), 1))
    return points[:rows], points[rows:]


def _floats(ours: pd.Series, theirs: pd.Series) -> tuple[Any, Any]:
    import numpy as np
    import pandas as pd

    found = []
    for values in (ours, theirs):
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        found.append(np.where(np.isfinite(numbers), numbers, np.nan))
    return found[0], found[1]


def _codes(ours: pd.Series, theirs: pd.Series) -> tuple[Any, Any]:
    import pandas as pd

    both = pd.concat([ours, theirs], ignore_index=True).map(category, na_action="ignore").astype(object)
    ranked = {value: rank for rank, value in enumerate(both.value_counts().index)}
    codes = both.map(lambda value: min(ranked[value], MOST_CATEGORIES), na_action="ignore").astype("float64")
    numbers = codes.to_numpy()
    return numbers[: len(ours)], numbers[len(ours) :]


def _measures(known: pd.Series, ours: pd.Series, theirs: pd.Series) -> list[tuple[Any, Any]]:
    import pyarrow as pa

    # Each row twice, for a dictionary takes up every other one.
    texts, before, after = (
        pa.array([one if isinstance(one, str) else None for one in side], pa.string())
        for side in (known.repeat(2), ours, theirs)
    )
    words = Dictionary()
    words.add(texts)
    return list(zip(measured(before, words.words), measured(after, words.words), strict=True))
