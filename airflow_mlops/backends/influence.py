"""Each metric as its value and how much each row moves it; the rest of a confidence interval follows.

A metric that is smooth in the empirical distribution is, to first order, its true value plus the mean of
one number per row, the row's influence (Hampel 1974, "The influence curve and its role in robust
estimation"). So its standard error is ``sqrt(sum(influence**2)) / n``, and the difference of two models on
the same rows has the influence ``one - other``, row by row, which keeps the pairing. For the area under the
ROC curve this is DeLong, DeLong and Clarke-Pearson (1988), for a mean it is the textbook interval. Unlike a
bootstrap it is exact to the last digit on every run, and a million rows take well under a second.

Nothing here checks its input; ``metrics_influence`` does. Arrays are float64 of one length ``n``;
``label`` is 0 or 1, or the number of a class; ``score`` is a probability, or one column per class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Influence = tuple[float, Array]


def roc_auc(label: Array, score: Array) -> Influence:
    """DeLong's placement values by midranks (Sun and Xu 2014), ties counted half, n - 1 in the variances."""
    import numpy as np

    positive = label == 1
    many, few = int((~positive).sum()), int(positive.sum())
    overall = _midranks(score)
    placement_of_positives = (overall[positive] - _midranks(score[positive])) / many
    placement_of_negatives = 1 - (overall[~positive] - _midranks(score[~positive])) / few
    value = float(placement_of_positives.mean())
    influence = np.empty(len(label))
    influence[positive] = (placement_of_positives - value) * _per_row(len(label), few)
    influence[~positive] = (placement_of_negatives - value) * _per_row(len(label), many)
    return value, influence


def average_precision(label: Array, score: Array) -> Influence:
    """``E[label * precision(score)] / E[label]``, where precision(s) is over the rows that score s or more.

    The influence follows from that form: the row's own precision, and what it does to the precision at
    every score below its own.
    """
    import numpy as np

    order = np.argsort(score, kind="stable")[::-1]
    sorted_score, sorted_label = score[order], label[order]
    share, n = label.mean(), len(label)
    last = np.flatnonzero(np.append(np.diff(sorted_score) != 0, True))
    group = np.searchsorted(last, np.arange(n))
    above = (last + 1)[group] / n
    positives_above = np.cumsum(sorted_label)[last][group] / n
    precision = positives_above / above
    # Sums over all rows that score no more than this one, ties included.
    first = np.append(0, last[:-1] + 1)[group]
    gained = _sum_from(sorted_label / above, first) / n
    lost = _sum_from(sorted_label * positives_above / above**2, first) / n
    value = float((sorted_label * precision).sum() / sorted_label.sum())
    mean = value * share
    sorted_influence = (sorted_label * (precision + gained) - lost - mean) / share
    sorted_influence -= value * (sorted_label - share) / share
    influence = np.empty(n)
    influence[order] = sorted_influence
    return value, influence


def log_loss(label: Array, score: Array) -> Influence:
    """Natural logarithm; probabilities are kept an epsilon away from 0 and 1, as scikit-learn does."""
    import numpy as np

    epsilon = np.finfo(np.float64).eps
    if score.ndim == 2:
        of_label = score[np.arange(len(label)), label.astype(int)]
    else:
        of_label = np.where(label == 1, score, 1 - score)
    return _mean(-np.log(np.clip(of_label, epsilon, 1 - epsilon)))


def brier_score(label: Array, score: Array) -> Influence:
    return _mean((label - score) ** 2)


def accuracy(label: Array, score: Array) -> Influence:
    return _mean((_classes(score) == label).astype(float))


def f1(label: Array, score: Array) -> Influence:
    """Of class 1, or the plain mean over the classes (macro) where there are more than two."""
    import numpy as np

    predicted = _classes(score)
    if score.ndim == 1:
        return _f1_of(label == 1, predicted == 1)
    there = np.union1d(np.unique(label), np.unique(predicted))
    parts = [_f1_of(label == each, predicted == each) for each in there]
    values, influences = zip(*parts, strict=True)
    return float(np.mean(values)), np.mean(influences, axis=0)


def mean_absolute_error(label: Array, score: Array) -> Influence:
    return _mean(abs(label - score))


def root_mean_squared_error(label: Array, score: Array) -> Influence:
    import numpy as np

    mean, influence = _mean((label - score) ** 2)
    root = float(np.sqrt(mean))
    return root, influence / (2 * root) if root else influence


def r2(label: Array, score: Array) -> Influence:
    """One minus the squared error over the label's variance."""
    error, of_error = _mean((label - score) ** 2)
    spread, of_spread = _mean((label - label.mean()) ** 2)
    return 1 - error / spread, error * of_spread / spread**2 - of_error / spread


INFLUENCE_OF: dict[str, Callable[[Any, Any], Any]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier_score": brier_score,
    "accuracy": accuracy,
    "f1": f1,
    "mean_absolute_error": mean_absolute_error,
    "root_mean_squared_error": root_mean_squared_error,
    "r2": r2,
}


def _mean(per_row: Array) -> Influence:
    value = float(per_row.mean())
    return value, (per_row - value) * _per_row(len(per_row), len(per_row))


def _f1_of(is_class: Any, said_class: Any) -> Influence:
    """``2 hits / (2 hits + errors)``; 0 where the class is neither there nor predicted."""
    hit, error = (is_class & said_class).astype(float), (is_class ^ said_class).astype(float)
    hits, errors = hit.mean(), error.mean()
    whole = 2 * hits + errors
    if not whole:
        return 0.0, hit
    return float(2 * hits / whole), 2 * (errors * (hit - hits) - hits * (error - errors)) / whole**2


def _classes(score: Array) -> Any:
    return score.argmax(axis=1) if score.ndim == 2 else (score >= 0.5).astype(float)


def _per_row(rows: int, group: int) -> float:
    """Turns a deviation within a group into an influence on all rows, with the group's n - 1."""
    return float(rows / (max(group - 1, 1) * group) ** 0.5)


def _midranks(values: Array) -> Array:
    import numpy as np

    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = ((2 * last - counts + 1) / 2)[inverse]
    return ranks


def _sum_from(values: Array, first: Any) -> Array:
    """For each row the sum of ``values`` from its position ``first`` to the end."""
    import numpy as np

    totals = np.append(np.cumsum(values[::-1])[::-1], 0.0)
    summed: Array = totals[first]
    return summed
