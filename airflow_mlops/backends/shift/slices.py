"""Rows and scores of each value of a column, on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.shift.pictures import OTHERS
from airflow_mlops.core.shift.attribution import SliceRows
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd

MOST_VALUES = 12
MOST_COLUMNS = 12
_PARTS = 5
MISSING = "(missing)"

Sides = tuple[Mapping[str, SliceRows], Mapping[str, SliceRows]]


def slice_rows(
    columns: Sequence[tuple[ColumnKind, pd.Series, pd.Series]], reference: Any, window: Any
) -> Sides | None:
    """The slices of a column, or of several that are crossed; each comes with its values of the reference and
    of the window, beside the scores of both sides. None where one is text.

    They are the most frequent values of both sides together, and all others as one; of numbers with many
    values, the fifths of both, each side as heavy as the other.
    """
    if any(kind == "text" for kind, _, _ in columns):
        return None
    named = [(_ranges if kind == "numeric" else _values)(*sides) for kind, *sides in columns]
    ours, theirs = named[0]
    if len(named) > 1:
        ours, theirs = _values(*(_crossed([names[side] for names in named]) for side in (0, 1)))
    return _counted(ours, reference), _counted(theirs, window)


def _crossed(names: Sequence[pd.Series]) -> pd.Series:
    return names[0].str.cat(list(names[1:]), sep=" and ")


def _values(reference: pd.Series, window: pd.Series) -> tuple[pd.Series, pd.Series]:
    import pandas as pd

    texts = [
        side.map(str, na_action="ignore").astype(object).where(side.notna(), MISSING)
        for side in (reference, window)
    ]
    shares = [side.value_counts(normalize=True) for side in texts]
    both = shares[0].add(shares[1], fill_value=0.0).sort_values(ascending=False, kind="stable")
    known = set(both.index[:MOST_VALUES])
    ours, theirs = (
        pd.Series([one if one in known else OTHERS for one in side], dtype=object) for side in texts
    )
    return ours, theirs


def _ranges(reference: pd.Series, window: pd.Series) -> tuple[pd.Series, pd.Series]:
    import numpy as np
    import pandas as pd

    sides = [
        pd.to_numeric(side, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        for side in (reference, window)
    ]
    seen = [side[np.isfinite(side)] for side in sides]
    if not all(len(side) for side in seen) or len(np.unique(np.concatenate(sides))) <= MOST_VALUES:
        plain = [
            pd.Series([None if np.isnan(one) else f"{one:.6g}" for one in side], dtype=object)
            for side in sides
        ]
        return _values(plain[0], plain[1])
    edges = np.unique(np.quantile(_mixture(seen), np.arange(1, _PARTS) / _PARTS))
    names = _range_names(edges.tolist())
    found = []
    for side in sides:
        places = np.searchsorted(edges, side, side="right")
        found.append(
            pd.Series(
                [MISSING if np.isnan(one) else names[place] for one, place in zip(side, places, strict=True)],
                dtype=object,
            )
        )
    return found[0], found[1]


def _mixture(sides: Sequence[Any]) -> Any:
    """Numbers that stand for both sides with equal weight, however many rows each has."""
    import numpy as np

    return np.concatenate([np.quantile(side, np.linspace(0.0, 1.0, 201)) for side in sides])


def _range_names(edges: list[float]) -> list[str]:
    inner = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.4g}", *inner, f"from {edges[-1]:.4g}"]


def _counted(names: pd.Series, scores: Any) -> dict[str, SliceRows]:
    import pandas as pd

    grouped = pd.Series(scores, dtype="float64").groupby(names.to_numpy())
    return {
        str(name): SliceRows(int(count), float(total))
        for (name, total), count in zip(grouped.sum().items(), grouped.count(), strict=True)
    }
