"""Histograms for people: each column of two samples, in the same bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlops.core.shift.picture import Picture
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd

_BINS = 24
_VALUES = 8
OTHERS = "all others"


def picture(column: str, kind: ColumnKind, reference: pd.Series, current: pd.Series) -> Picture | None:
    """None of texts, which have no bars, and of a column without any value."""
    if kind == "text":
        return None
    return (_of_numbers if kind == "numeric" else _of_categories)(column, reference, current)


def _of_numbers(column: str, reference: pd.Series, current: pd.Series) -> Picture | None:
    import numpy as np
    import pandas as pd

    sides: list[Any] = []
    for values in (reference, current):
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        sides.append(numbers[np.isfinite(numbers)])
    both = np.concatenate(sides)
    if not len(both):
        return None
    # Of each side by itself: what only a small window has is to be seen as well.
    ends = [np.quantile(side, (0.005, 0.995)) for side in sides if len(side)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    distinct = np.unique(both)
    if len(distinct) <= _BINS:
        low, high = float(distinct[0]), float(distinct[-1])
    if not np.isfinite(high - low):
        return None
    if not (np.diff(np.linspace(low, high, _BINS + 1)) > 0).all():
        # One value, or some that are equal but for rounding.
        half = max(0.5, abs(low) * 1e-6)
        low, high = low - half, high + half
    shares = [
        np.histogram(np.clip(side, low, high), bins=_BINS, range=(low, high))[0] / max(len(values), 1)
        for side, values in zip(sides, (reference, current), strict=True)
    ]
    missing = tuple(
        1 - len(side) / max(len(values), 1) for side, values in zip(sides, (reference, current), strict=True)
    )
    before, after = (tuple(side.tolist()) for side in shares)
    return Picture(column, before, after, (missing[0], missing[1]), low, high)


def _of_categories(column: str, reference: pd.Series, current: pd.Series) -> Picture | None:
    shares = [
        values.map(str, na_action="ignore").value_counts(normalize=True) for values in (reference, current)
    ]
    there = [1 - float(values.isna().mean()) if len(values) else 0.0 for values in (reference, current)]
    both = shares[0].mul(there[0]).add(shares[1].mul(there[1]), fill_value=0.0)
    if not len(both):
        return None
    names = [str(name) for name in both.sort_values(ascending=False, kind="stable").index]
    shown, others = names[:_VALUES], len(names) > _VALUES
    bars = []
    for side, weight in zip(shares, there, strict=True):
        kept = [float(side.get(name, 0.0)) * weight for name in shown]
        bars.append((*kept, max(0.0, weight - sum(kept))) if others else tuple(kept))
    labels = (*shown, OTHERS) if others else tuple(shown)
    return Picture(column, bars[0], bars[1], (1 - there[0], 1 - there[1]), names=labels)
