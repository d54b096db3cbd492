"""Metrics with confidence intervals, and the paired difference of two models on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

from airflow_mlops.backends.influence import INFLUENCE_OF
from airflow_mlops.core.values import Estimate, TaskKind
from airflow_mlops.exceptions import DataRefused

_SHARES = frozenset({"roc_auc", "average_precision", "accuracy", "f1"})
_NEEDS_TWO_OF_EACH = frozenset({"roc_auc", "average_precision"})
_LOWEST = {"brier_score": 0.0, "log_loss": 0.0, "mean_absolute_error": 0.0, "root_mean_squared_error": 0.0}
_HIGHEST = {"brier_score": 1.0, "r2": 1.0}


class InfluenceMetrics:
    """Values are scikit-learn's; intervals come from the rows' influences (see ``influence``).

    Binary labels are booleans, 0 or 1, and the prediction is the probability of 1; it counts as 1 from 0.5
    on. Multiclass predictions have one column per class in the order of the sorted labels. Rows are taken as
    independent: where they come in groups (flights of one storm) the intervals are too narrow.
    """

    def __init__(self, task: TaskKind) -> None:
        self._task = task

    def score(
        self, metrics: Sequence[str], label: Any, prediction: Any, confidence: float
    ) -> dict[str, Estimate]:
        """Each metric's estimate. An interval of a share (AUC, accuracy...) is symmetric on the logit scale,
        so that it stays between 0 and 1. Raises ``DataRefused`` where a metric is undefined."""
        labels, scores = self._checked(metrics, label, prediction)
        z = _quantile(confidence)
        return {name: _estimate(name, labels, scores, z) for name in metrics}

    def difference(
        self, metrics: Sequence[str], label: Any, challenger: Any, champion: Any, confidence: float
    ) -> dict[str, Estimate]:
        """Challenger minus champion, paired by row. Two models that answer alike differ by exactly 0."""
        labels, ours = self._checked(metrics, label, challenger)
        _, theirs = self._checked(metrics, label, champion)
        z = _quantile(confidence)
        estimates = {}
        for name in metrics:
            one, of_one = INFLUENCE_OF[name](labels, ours)
            other, of_other = INFLUENCE_OF[name](labels, theirs)
            value, margin = one - other, z * _standard_error(of_one - of_other)
            estimates[name] = Estimate(value, value - margin, value + margin)
        return estimates

    def _checked(self, metrics: Sequence[str], label: Any, prediction: Any) -> tuple[Any, Any]:
        import numpy as np

        unknown = [name for name in metrics if name not in INFLUENCE_OF]
        if unknown:
            raise DataRefused(f"no metric {unknown[0]!r}; there are: {', '.join(INFLUENCE_OF)}")
        try:
            scores = np.asarray(prediction, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataRefused(f"the predictions are no numbers: {error}") from error
        labels = np.asarray(label)
        if len(labels) != len(scores):
            raise DataRefused(f"{len(labels)} labels do not fit {len(scores)} predictions")
        if not len(labels):
            raise DataRefused("there are no rows to score")
        bad = int((~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)).sum())
        if bad:
            raise DataRefused(f"{bad} of {len(scores)} predictions are null or not finite")
        match self._task:
            case "binary_classification":
                classes = _binary(labels)
                _refuse_lonely_row(classes, metrics)
                return classes, _one_column(scores)
            case "multiclass_classification":
                return _numbered(labels, scores), scores
            case "regression":
                return _numbers(labels, metrics), _one_column(scores)


def _estimate(name: str, labels: Any, scores: Any, z: float) -> Estimate:
    value, influence = INFLUENCE_OF[name](labels, scores)
    error = _standard_error(influence)
    if name in _SHARES:
        return _share(value, error, z, _rarest(labels) if name != "accuracy" else len(labels))
    low, high = value - z * error, value + z * error
    return Estimate(value, max(low, _LOWEST.get(name, low)), min(high, _HIGHEST.get(name, high)))


def _share(value: float, error: float, z: float, rows: int) -> Estimate:
    """At exactly 0 or 1 the rows show no spread, although more rows might: then the bound is that of
    Clopper and Pearson for as many hits as the rarest class has rows."""
    unseen = (1 - NormalDist().cdf(z)) ** (1 / rows)
    if value >= 1:
        return Estimate(1.0, unseen, 1.0)
    if value <= 0:
        return Estimate(0.0, 0.0, 1 - unseen)
    middle, margin = math.log(value / (1 - value)), z * error / (value * (1 - value))
    return Estimate(value, _logistic(middle - margin), _logistic(middle + margin))


def _logistic(number: float) -> float:
    if number < -700:
        return 0.0
    return 1 / (1 + math.exp(-number))


def _standard_error(influence: Any) -> float:
    return float((influence**2).sum() ** 0.5 / len(influence))


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _rarest(labels: Any) -> int:
    import numpy as np

    return int(np.unique(labels, return_counts=True)[1].min())


def _binary(labels: Any) -> Any:
    import numpy as np

    classes = _sorted_classes(labels)
    if not set(classes.tolist()) <= {0, 1}:
        raise DataRefused(
            "the labels of a binary classification are 0 and 1, or false and true; "
            f"these are {_shown(classes)}"
        )
    _refuse_one_class(classes, len(labels))
    return labels.astype(np.float64)


def _numbered(labels: Any, scores: Any) -> Any:
    import numpy as np

    if scores.ndim != 2:
        raise DataRefused("a multiclass prediction has one column of probabilities per class")
    classes = _sorted_classes(labels)
    _refuse_one_class(classes, len(labels))
    width = scores.shape[1]
    if classes.dtype.kind in "iub" and classes.min() >= 0 and classes.max() < width:
        return labels.astype(np.float64)
    if len(classes) != width:
        raise DataRefused(
            f"the labels have {len(classes)} classes ({_shown(classes)}), the predictions {width} columns; "
            "number the classes from 0, or score rows that have every class"
        )
    return np.searchsorted(classes, labels).astype(np.float64)


def _numbers(labels: Any, metrics: Sequence[str]) -> Any:
    import numpy as np

    try:
        numbers = _without_null(labels).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"the labels of a regression are numbers: {error}") from error
    if "r2" in metrics and numbers.min() == numbers.max():
        raise DataRefused(f"r2 is undefined: all {len(numbers)} labels are {numbers[0]:g}")
    return numbers


def _one_column(scores: Any) -> Any:
    if scores.ndim == 2 and scores.shape[1] == 1:
        return scores[:, 0]
    if scores.ndim != 1:
        raise DataRefused(f"a prediction is one number a row, these have {scores.shape[1]} columns")
    return scores


def _without_null(labels: Any) -> Any:
    import pandas as pd

    nulls = int(pd.isna(labels).sum())
    if nulls:
        raise DataRefused(f"{nulls} of {len(labels)} labels are null; score only rows whose label has landed")
    return labels


def _sorted_classes(labels: Any) -> Any:
    import numpy as np

    try:
        return np.unique(_without_null(labels))
    except TypeError as error:
        raise DataRefused(f"the labels mix types that have no order: {error}") from error


def _refuse_one_class(classes: Any, rows: int) -> None:
    if len(classes) < 2:
        raise DataRefused(
            f"all {rows} labels are {classes[0]}: with one class only, no classification metric says anything"
        )


def _refuse_lonely_row(labels: Any, metrics: Sequence[str]) -> None:
    """One row of a class has no spread of its own: the interval would show that of the other class alone."""
    positives = int(labels.sum())
    wanted = [name for name in metrics if name in _NEEDS_TWO_OF_EACH]
    if wanted and min(positives, len(labels) - positives) < 2:
        raise DataRefused(
            f"of {len(labels)} labels {positives} are 1: an interval of {wanted[0]} needs two of each class"
        )


def _shown(classes: Any) -> str:
    shown = ", ".join(str(value) for value in classes[:5])
    return shown + (", ..." if len(classes) > 5 else "")
