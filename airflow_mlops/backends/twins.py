"""Twins: holdout rows that stand in training as well, features and label, which a model can know by heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

USUAL = 1.5
"""How much more often than in training twins may be met in the holdout: seasons move coarse columns."""
STANDARD_ERRORS = 3
ENOUGH = 5
"""So many twins are no chance where no two training rows are alike."""


@dataclass(frozen=True, slots=True)
class Twins:
    """``found`` marks the holdout rows with a twin among the training rows that were looked at. ``share`` and
    ``usual`` compare like with like: the holdout with as many training rows (drawn at random) as the newest
    part of training, as large as the holdout, has before itself.
    """

    found: pd.Series
    share: float
    usual: float
    rows: int
    usual_rows: int
    any_within_training: bool

    def are_too_many(self, threshold: float) -> bool:
        """Beyond what coincidence in these data explains: by ``threshold`` at least, and not by chance."""
        if self.share - USUAL * self.usual < threshold:
            return False
        if not self.any_within_training:
            return int(self.found.sum()) >= ENOUGH
        pooled = (self.share * self.rows + self.usual * self.usual_rows) / (self.rows + self.usual_rows)
        spread = pooled * (1 - pooled) * (1 / self.rows + 1 / self.usual_rows)
        return bool(self.share - self.usual > STANDARD_ERRORS * spread**0.5)


def twins_of(
    training: pd.DataFrame,
    holdout: pd.DataFrame,
    columns: list[str],
    *,
    group: str | None = None,
    by_time: bool = True,
    seed: int = 0,
) -> Twins | None:
    """Both frames by time. None where there is too little to compare with. Rows are compared by a hash of 64
    bits; two missing values are alike."""
    import numpy as np
    import pandas as pd

    size = min(len(holdout), len(training) // 3)
    if not size:
        return None
    mixed = np.random.default_rng(seed).permutation(len(training))
    order = np.arange(len(training)) if by_time else mixed
    theirs, ours = _hashes(training, columns)[order], _hashes(holdout, columns)
    before, newest = slice(0, len(order) - size), slice(len(order) - size, None)
    rest = theirs[before]
    if group is not None:  # as between training and holdout, no group is on both sides
        groups = training[group].iloc[order]
        rest = rest[~(groups.notna() & groups.isin(groups.iloc[newest].dropna())).to_numpy()[before]]
    as_many = theirs[mixed[size:]]
    return Twins(
        found=pd.Series(np.isin(ours, theirs), index=holdout.index),
        share=float(np.isin(ours, as_many).mean()),
        usual=float(np.isin(theirs[newest], rest).mean()),
        rows=len(ours),
        usual_rows=size,
        any_within_training=len(np.unique(theirs)) < len(theirs),
    )


def _hashes(rows: pd.DataFrame, columns: list[str]) -> Any:
    import pandas as pd

    return pd.util.hash_pandas_object(rows[columns], index=False).to_numpy()
