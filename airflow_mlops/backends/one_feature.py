"""One feature: how well it alone tells the label, which is how a copy of the label among the features shows.

One half of the rows is guessed from the other half and the other way round: a number by the rows nearest to
it (all rows of the same value, at least five), a category by its own rows. No model is fitted: it takes one
sort a feature, finds any dependence and not only a rising one, and gives no credit to an identifier, which no
two rows share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NEIGHBOURS = 5
MOST_CLASSES = 50
FEWEST_OF_THE_OTHERS = 20
"""With fewer rows than this that are not of the most common class, chance tells a label as well."""


@dataclass(frozen=True, slots=True)
class Told:
    """``explained`` is the share of the error of a guess without any feature that this one takes away, 1 for
    a copy of the label. For classes the error is the number of rows guessed wrong (Goodman and Kruskal's
    lambda, 1954, on rows that were not looked at); for numbers the squared error of the label's rank.
    """

    explained: float
    rows: int
    wrong: int | None = None
    wrong_without: int | None = None


def told_by(
    feature: pd.Series, kind: ColumnKind, label: pd.Series, half: Any, *, classes: bool
) -> Told | None:
    """How well the feature tells the label; None where there is too little to tell. ``half`` is true for the
    rows of one half; ``classes`` says that labels are classes and not numbers."""
    values = _numbers(feature) if kind == "numeric" else _codes(feature)
    return _classes_told(values, kind, label, half) if classes else _numbers_told(values, kind, label, half)


def halves(rows: int, *, groups: Any = None, by_time: bool = True, blocks: int = 10, seed: int = 0) -> Any:
    """Two halves that share as little as the splits of the model do: whole groups where there are some,
    stretches of time in turn where the holdout is by time, else rows at random."""
    import numpy as np

    random = np.random.default_rng(seed)
    if groups is not None:
        drawn = random.permutation(int(groups.max()) + 1)
        return drawn[groups] % 2 == 0
    if by_time:
        return np.arange(rows) * blocks // max(rows, 1) % 2 == 0
    return random.permutation(rows) % 2 == 0


def _classes_told(values: Array, kind: ColumnKind, label: pd.Series, half: Any) -> Told | None:
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(label)
    counts = np.bincount(codes)
    if len(label) - counts.max() < FEWEST_OF_THE_OTHERS:
        return None
    if len(names) > MOST_CLASSES:  # the rest is one class, so that the counts below stay small
        rank = np.empty(len(names), dtype=int)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
        codes = np.minimum(rank[codes], MOST_CLASSES)
    weights = np.eye(codes.max() + 1)[codes]
    wrong = without = 0
    for known in (half, ~half):
        sums = _sums(values[known], weights[known], values[~known], kind)
        usual = weights[known].sum(axis=0).argmax()
        guess = np.where(sums.sum(axis=1) > 0, sums.argmax(axis=1), usual)
        wrong += int((guess != codes[~known]).sum())
        without += int((usual != codes[~known]).sum())
    return Told(1 - wrong / without if without else 0.0, len(label), wrong, without)


def _numbers_told(values: Array, kind: ColumnKind, label: pd.Series, half: Any) -> Told | None:
    """On ranks, so that one huge label does not decide alone. A rising dependence is seen in all rows at
    once, for the neighbours cannot follow a label to where the other half has no rows."""
    import numpy as np

    ranks = label.rank().to_numpy(dtype=np.float64)
    if len(ranks) < 2 * FEWEST_OF_THE_OTHERS or ranks.min() == ranks.max():
        return None
    weights = np.column_stack([np.ones(len(ranks)), ranks])
    error = without = 0.0
    for known in (half, ~half):
        sums = _sums(values[known], weights[known], values[~known], kind)
        usual = ranks[known].mean() if known.any() else 0.0
        guess = np.where(sums[:, 0] > 0, sums[:, 1] / np.maximum(sums[:, 0], 1), usual)
        error += float(((guess - ranks[~known]) ** 2).sum())
        without += float(((usual - ranks[~known]) ** 2).sum())
    explained = 1 - error / without if without else 0.0
    if kind == "numeric" and not np.isnan(values).any():
        explained = max(explained, _rank_correlation(values, ranks) ** 2)
    return Told(explained, len(label))


def _sums(known: Array, weights: Array, asked: Array, kind: ColumnKind) -> Array:
    """Of each asked value the summed weights of the known rows it is guessed from, zeros without any."""
    import numpy as np

    if kind != "numeric":
        size = int(max(known.max(initial=-1), asked.max(initial=-1))) + 1
        table = np.zeros((size, weights.shape[1]))
        np.add.at(table, known.astype(int), weights)
        of_category: Array = table[asked.astype(int)]
        return of_category
    missing, is_asked_missing = np.isnan(known), np.isnan(asked)
    order = np.argsort(known[~missing], kind="stable")
    ordered = known[~missing][order]
    summed = np.vstack([np.zeros(weights.shape[1]), np.cumsum(weights[~missing][order], axis=0)])
    first, last = np.searchsorted(ordered, asked, "left"), np.searchsorted(ordered, asked, "right")
    low = np.minimum(first, (first + last) // 2 - NEIGHBOURS // 2).clip(0)
    high = np.maximum(last, (first + last) // 2 + NEIGHBOURS // 2 + 1).clip(max=len(ordered))
    sums: Array = summed[high] - summed[low.clip(max=len(ordered))]
    sums[is_asked_missing] = weights[missing].sum(axis=0)
    return sums


def _rank_correlation(values: Array, ranks: Array) -> float:
    import numpy as np
    import pandas as pd

    theirs = pd.Series(values).rank().to_numpy()
    if theirs.min() == theirs.max():
        return 0.0
    return float(np.corrcoef(theirs, ranks)[0, 1])


def _numbers(feature: pd.Series) -> Array:
    import numpy as np

    numbers: Array = feature.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _codes(feature: pd.Series) -> Array:
    import pandas as pd

    codes, _ = pd.factorize(feature, use_na_sentinel=False)
    return codes  # type: ignore[no-any-return]
