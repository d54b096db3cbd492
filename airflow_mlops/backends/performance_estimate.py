"""CBPE: what a classifier's metric probably is while labels are missing, from its own probabilities.

Confidence-based performance estimation (NannyML's documentation, "Estimating performance"; Bialek, Kuberski,
Perrakis and Bifet 2024, arXiv 2401.08348): where a probability is calibrated, an answer of 0.9 is right nine
times in ten, so every cell of the confusion matrix, and every metric made of them, has an expected value
without one label. Calibration is learnt on the champion's holdout. It holds while labels depend on the
features as they did there: the estimate sees that the mix of cases has changed, and is blind to concept
drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlops.backends.calibrated_chances import calibrated
from airflow_mlops.backends.estimate_interval import DRAWS, ROWS, interval, spread
from airflow_mlops.core.metrics import METRICS, MetricSpec
from airflow_mlops.core.values import Estimate
from airflow_mlops.exceptions import DataRefused


def estimate(
    spec: MetricSpec,
    answers: Any,
    holdout_labels: Any,
    holdout_answers: Any,
    *,
    threshold: float,
    confidence: float,
) -> Estimate:
    """The metric's expected value on answers without labels. The interval is of chance: labels drawn from the
    calibrated probabilities, and the calibration fitted anew on a resampled holdout each time.

    Answers are probabilities of class 1, labels 0 or 1. Raises ``DataRefused`` where the metric cannot be
    estimated, or the holdout cannot calibrate.
    """
    import numpy as np

    score = _scores(threshold).get(spec.metric or "")
    if score is None or spec.params:
        raise DataRefused(f"{spec.name} cannot be estimated without labels")
    scores = _probabilities(answers)
    labels, theirs = np.asarray(holdout_labels, dtype=np.float64), _probabilities(holdout_answers)
    if not len(scores) or len(np.unique(labels)) < 2:
        raise DataRefused("there are no answers, or the holdout has one class only: nothing to calibrate by")
    likely = calibrated(labels, theirs, scores)
    value = score(_twice(likely), np.concatenate([scores, scores]), np.concatenate([likely, 1 - likely]))
    if not np.isfinite(value):
        raise DataRefused(f"by the calibrated probabilities all rows are of one class: no {spec.name}")
    generator = np.random.default_rng(0)
    rows = generator.choice(len(scores), min(len(scores), ROWS), replace=False)
    drawn = [_drawn(score, labels, theirs, scores[rows], generator) for _ in range(DRAWS)]
    known = [one for one in drawn if one is not None]
    deviation = spread(known, len(rows) / len(scores))
    return interval(value, deviation, confidence, METRICS[spec.metric or ""])


def _drawn(score: Any, labels: Any, theirs: Any, scores: Any, generator: Any) -> tuple[float, float] | None:
    """The metric of labels drawn from a calibration of its own, and what it is on average by that one."""
    import numpy as np

    again = generator.integers(0, len(labels), len(labels))
    if len(np.unique(labels[again])) < 2:
        return None
    likely = calibrated(labels[again], theirs[again], scores)
    made_up = generator.random(len(scores)) < likely
    if made_up.all() or not made_up.any():
        return None
    weights = np.concatenate([likely, 1 - likely])
    expected = score(_twice(likely), np.concatenate([scores, scores]), weights)
    return float(score(made_up.astype(np.float64), scores, None)), float(expected)


def _probabilities(answers: Any) -> Any:
    import numpy as np

    found = np.asarray(answers, dtype=np.float64)
    if not ((found >= 0) & (found <= 1)).all():
        raise DataRefused("the answers are no probabilities, so they say nothing about their own errors")
    return found


def _twice(likely: Any) -> Any:
    """Each row as a one and as a zero; how likely each is goes by weight."""
    import numpy as np

    return np.concatenate([np.ones(len(likely)), np.zeros(len(likely))])


def _scores(threshold: float) -> Mapping[str, Callable[[Any, Any, Any], float]]:
    """scikit-learn's metrics, of labels, probabilities and weights."""
    from sklearn import metrics

    def by_decision(of: Callable[..., float], **more: Any) -> Callable[[Any, Any, Any], float]:
        return lambda label, score, weight: float(
            of(label, (score >= threshold).astype(float), sample_weight=weight, **more)
        )

    def by_score(of: Callable[..., float]) -> Callable[[Any, Any, Any], float]:
        return lambda label, score, weight: float(of(label, score, sample_weight=weight))

    return {
        "roc_auc": by_score(metrics.roc_auc_score),
        "average_precision": by_score(metrics.average_precision_score),
        "log_loss": by_score(metrics.log_loss),
        "brier_score": by_score(metrics.brier_score_loss),
        "accuracy": by_decision(metrics.accuracy_score),
        "balanced_accuracy": by_decision(metrics.balanced_accuracy_score),
        "f1": by_decision(metrics.f1_score, zero_division=0.0),
        "precision": by_decision(metrics.precision_score, zero_division=0.0),
        "recall": by_decision(metrics.recall_score, zero_division=0.0),
        "jaccard": by_decision(metrics.jaccard_score, zero_division=0.0),
        "matthews_corrcoef": by_decision(metrics.matthews_corrcoef),
    }
