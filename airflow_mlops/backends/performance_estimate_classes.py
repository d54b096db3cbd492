"""CBPE of several classes: what a metric probably is while labels are missing.

As ``performance_estimate`` has it for two: each row stands as every class, weighted by the calibrated chance
of it. The expected confusion matrix gives what is made of decisions; an area under the curve is the mean of
those of each class against the rest (NannyML's documentation, "Estimating performance", multiclass).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airflow_mlops.backends.calibrated_chances import calibrated_classes
from airflow_mlops.backends.estimate_interval import DRAWS, ROWS, interval, spread
from airflow_mlops.backends.metric_forms import OF_CLASSES, PerClass
from airflow_mlops.backends.metric_inputs import checked
from airflow_mlops.core.metrics import METRICS, MetricSpec
from airflow_mlops.core.values import Estimate
from airflow_mlops.exceptions import DataRefused


def estimate_of_classes(
    spec: MetricSpec,
    answers: Any,
    holdout_labels: Any,
    holdout_answers: Any,
    *,
    confidence: float,
    answered: int,
) -> Estimate:
    """The metric's expected value on ``answered`` answers without labels, of which ``answers`` are some, with
    an interval of chance and calibration.

    Answers have a column of probabilities per class, as many as the holdout's. At most ``ROWS`` of either
    are read. Raises ``DataRefused`` where the metric cannot be estimated, or the holdout cannot calibrate.
    """
    import numpy as np

    known = METRICS.get(spec.metric or "")
    score = None if known is None else _scores({**known.params, **spec.params}).get(spec.metric or "")
    if score is None or known is None:
        raise DataRefused(f"{spec.name} cannot be estimated without labels")
    scores, theirs = _probabilities(answers), _probabilities(holdout_answers)
    labels, theirs = checked("multiclass_classification", [spec], np.asarray(holdout_labels), theirs, None)
    if not len(scores) or scores.shape[1] != theirs.shape[1]:
        raise DataRefused("there are no answers, or they are of other classes than the holdout's")
    generator = np.random.default_rng(0)
    kept = generator.permutation(len(labels))[:ROWS]
    labels, theirs = labels[kept], theirs[kept]
    scores = scores[generator.permutation(len(scores))[:ROWS]]
    value = score(scores, calibrated_classes(labels, theirs, scores))
    if not np.isfinite(value):
        raise DataRefused(f"by the calibrated probabilities some class has no rows: no {spec.name}")
    drawn = []
    for _ in range(DRAWS):
        again = generator.integers(0, len(labels), len(labels))
        likely = calibrated_classes(labels[again], theirs[again], scores)
        pair = score(scores, _drawn(likely, generator)), score(scores, likely)
        if np.isfinite(pair).all():
            drawn.append(pair)
    return interval(value, spread(drawn, len(scores) / answered), confidence, known)


def _probabilities(answers: Any) -> Any:
    import numpy as np

    found = np.asarray(answers, dtype=np.float64)
    if found.ndim != 2 or not ((found >= 0) & (found <= 1)).all():
        raise DataRefused("the answers are no probabilities, so they say nothing about their own errors")
    return found


def _drawn(likely: Any, generator: Any) -> Any:
    """One class a row by its chance, as the weights that it then has."""
    import numpy as np

    steps = np.cumsum(likely, axis=1)
    classes = (generator.random((len(likely), 1)) * steps[:, -1:] >= steps).sum(axis=1)
    return np.eye(likely.shape[1])[np.minimum(classes, likely.shape[1] - 1)]


Score = Callable[[Any, Any], float]


def _scores(params: Mapping[str, Any]) -> Mapping[str, Score]:
    """Metrics of scores and of how much each row is of each class."""
    return {
        **{name: partial(_of_decisions, of) for name, of in OF_CLASSES.items()},
        "log_loss": _log_loss,
        "roc_auc_ovr": _areas,
        "top_k_accuracy": partial(_top, int(params.get("k", 1))),
    }


def _of_decisions(of: PerClass, scores: Any, weights: Any) -> float:
    """By the confusion matrix alone."""
    import numpy as np

    many, said = scores.shape[1], scores.argmax(axis=1)
    cells = np.stack([np.bincount(said, column, minlength=many) for column in weights.T]) / len(scores)
    return float(of(cells.diagonal(), cells.sum(axis=1), cells.sum(axis=0)))


def _log_loss(scores: Any, weights: Any) -> float:
    import numpy as np

    epsilon = np.finfo(np.float64).eps
    return float(-(weights * np.log(np.clip(scores, epsilon, 1 - epsilon))).sum() / len(scores))


def _top(k: int, scores: Any, weights: Any) -> float:
    import numpy as np

    best = np.argsort(scores, axis=1, kind="stable")[:, -min(k, scores.shape[1]) :]
    return float(np.take_along_axis(weights, best, axis=1).sum() / len(scores))


def _areas(scores: Any, weights: Any) -> float:
    import numpy as np

    return float(np.mean([_area(*pair) for pair in zip(scores.T, weights.T, strict=True)]))


def _area(score: Any, weight: Any) -> float:
    """The chance that a row of the class scores above one of the rest, ties by half; NaN where none is."""
    import numpy as np

    _, place = np.unique(score, return_inverse=True)
    ours, rest = np.bincount(place, weight), np.bincount(place, 1 - weight)
    pairs = ours.sum() * rest.sum()
    return float((ours * (np.cumsum(rest) - rest / 2)).sum() / pairs) if pairs > 0 else float("nan")
