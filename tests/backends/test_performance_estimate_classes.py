"""CBPE of several classes against what labels say."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.performance_estimate_classes import estimate_of_classes
from airflow_mlops.core.metrics import METRICS, MetricSpec
from airflow_mlops.exceptions import DataRefused

ESTIMATED = [name for name, known in METRICS.items() if "multiclass_classification" in known.tasks]
MEASURED = InfluenceMetrics("multiclass_classification")


def chances(odds):
    grown = np.exp(odds)
    return grown / grown.sum(axis=1, keepdims=True)


def drawn(
    count: int, seed: int, *, more_of_the_first: float = 0.0, spread: float = 1.5, turned: bool = False
):
    """Labels, and scores that are too sure of themselves. ``turned``: two classes have changed places."""
    random = np.random.default_rng(seed)
    odds = spread * random.normal(size=(count, 3)) + [0.4 + more_of_the_first, 0.2, -0.6]
    truth = chances(odds)[:, [1, 0, 2]] if turned else chances(odds)
    labels = (random.random((count, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    return labels, chances(1.6 * odds)


def pair(metric: str, seed: int, *, rows: int = 500, **later):
    """The estimate, what labels say later, and what they said of the holdout."""
    labels, scores = drawn(2 * rows, 2 * seed)
    truth, answers = drawn(rows, 2 * seed + 1, **later)
    spec = MetricSpec(metric, metric)
    found = estimate_of_classes(spec, answers, labels, scores, confidence=0.95, answered=len(answers))
    measured = [
        MEASURED.score([metric], *one, 0.95)[metric].value for one in ((truth, answers), (labels, scores))
    ]
    return found, *measured


@pytest.mark.parametrize("metric", ESTIMATED)
def test_where_only_the_mix_of_cases_changes_the_estimate_is_what_labels_say_later(metric) -> None:
    found, truth, _ = pair(metric, 1, rows=2_000, more_of_the_first=-0.6, spread=0.9)
    assert found.low - 0.01 <= truth <= found.high + 0.01, (metric, found, truth)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc_ovr"])
def test_under_covariate_shift_the_interval_has_the_truth_about_as_often_as_it_says(metric) -> None:
    found = [pair(metric, seed, more_of_the_first=0.5, spread=1.1) for seed in range(20)]
    held = sum(one.low <= truth <= one.high for one, truth, _ in found)
    assert held >= 17, (metric, held)  # of 20 at 95 %
    better = sum(abs(one.value - truth) < abs(before - truth) for one, truth, before in found)
    assert better >= 13, (metric, better)


def test_concept_drift_is_not_seen() -> None:
    found = [pair("accuracy", seed, turned=True) for seed in range(5)]
    assert all(one.low > truth + 0.1 for one, truth, _ in found)


def test_a_class_that_the_holdout_hardly_has_costs_no_estimate() -> None:
    labels, scores = drawn(600, 1)
    rare = np.where((labels == 2) & (np.arange(600) > 20), 0, labels)
    _, answers = drawn(400, 2)
    found = estimate_of_classes(MetricSpec("f1", "f1"), answers, rare, scores, confidence=0.95, answered=400)
    assert 0 < found.low < found.value < found.high < 1


@pytest.mark.parametrize(
    ("spec", "answers", "said"),
    [
        (MetricSpec("cost", callable="a.b:c"), [[0.5, 0.5]], "cannot be estimated"),
        (MetricSpec("accuracy", "accuracy"), [0.5], "no probabilities"),
        (MetricSpec("accuracy", "accuracy"), [[0.2, 0.3, 0.5]], "other classes"),
        (MetricSpec("accuracy", "accuracy"), np.zeros((0, 2)), "no answers"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_the_reason(spec, answers, said) -> None:
    with pytest.raises(DataRefused, match=said):
        estimate_of_classes(spec, answers, [0, 1], [[0.7, 0.3], [0.2, 0.8]], confidence=0.95, answered=1)
