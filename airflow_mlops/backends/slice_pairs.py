"""The same slices of two frames: the champion's holdout, and what was served since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.backends.gates.groups import cut

if TYPE_CHECKING:
    import pandas as pd

_MOST = 50


@dataclass(frozen=True, slots=True)
class SlicePair:
    """The rows of one slice in both frames."""

    name: str
    holdout: pd.DataFrame
    served: pd.DataFrame


def slice_pairs(
    holdout: pd.DataFrame,
    served: pd.DataFrame,
    columns: Sequence[str],
    *,
    bins: int,
    edges: Mapping[str, Sequence[float]],
    minimum_rows: int,
) -> Iterator[SlicePair]:
    """The groups of one column, or of crossed ones, that have rows enough in both frames; of a column with
    many values, the largest fifty. Numbers are cut at the same places in both."""
    import pandas as pd

    both = pd.concat([holdout[list(columns)], served[list(columns)]], ignore_index=True)
    grouping = cut(both, columns, bins=bins, edges=edges).largest(_MOST)
    for name, rows in zip(grouping.names, grouping.rows_of_each(), strict=True):
        ours, theirs = rows[rows < len(holdout)], rows[rows >= len(holdout)] - len(holdout)
        if min(len(ours), len(theirs)) >= minimum_rows:
            yield SlicePair(name, holdout.iloc[ours], served.iloc[theirs])
