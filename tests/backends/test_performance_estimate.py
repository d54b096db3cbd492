"""CBPE: the estimate without labels against what labels say."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.performance_estimate import estimate
from airflow_mlops.core.metrics import MetricSpec
from airflow_mlops.exceptions import DataRefused

ESTIMATED = (
    "roc_auc", "average_precision", "log_loss", "brier_score", "accuracy", "balanced_accuracy", "f1",
    "precision", "recall", "jaccard", "matthews_corrcoef",
)  # fmt: skip


def drawn(count: int, seed: int, *, middle: float = 0.0, spread: float = 1.5):
    """Labels, and a score that is badly calibrated: too sure of itself, and too high."""
    random = np.random.default_rng(seed)
    odds = random.normal(middle, spread, count)
    labels = (random.random(count) < 1 / (1 + np.exp(-odds))).astype(float)
    return labels, 1 / (1 + np.exp(-(2 * odds + 0.5)))


@pytest.mark.parametrize("metric", ESTIMATED)
def test_where_only_the_mix_of_cases_changes_the_estimate_is_what_labels_say_later(metric) -> None:
    labels, scores = drawn(6_000, 1)
    later, answers = drawn(6_000, 2, middle=-0.8, spread=1.0)
    found = estimate(MetricSpec(metric, metric), answers, labels, scores, threshold=0.5, confidence=0.95)
    truth = InfluenceMetrics("binary_classification").score([metric], later, answers, 0.95)[metric].value
    before = InfluenceMetrics("binary_classification").score([metric], labels, scores, 0.95)[metric].value
    assert found.low - 0.01 <= truth <= found.high + 0.01, (metric, found, truth)
    assert found.low < found.value < found.high
    if metric not in ("accuracy", "brier_score", "log_loss"):
        assert abs(found.value - truth) < 0.5 * abs(before - truth), (metric, before, truth, found)


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_under_covariate_shift_the_interval_has_the_truth_about_as_often_as_it_says(metric) -> None:
    held = 0
    for seed in range(20):
        labels, scores = drawn(1_000, 2 * seed)
        later, answers = drawn(500, 2 * seed + 1, middle=-0.7, spread=1.1)
        found = estimate(MetricSpec(metric, metric), answers, labels, scores, threshold=0.5, confidence=0.95)
        truth = InfluenceMetrics("binary_classification").score([metric], later, answers, 0.95)[metric].value
        held += found.low <= truth <= found.high
    assert held >= 17, (metric, held)  # of 20 at 95 %


def test_concept_drift_is_not_seen() -> None:
    labels, scores = drawn(2_000, 1)
    later, answers = drawn(1_000, 2)
    found = estimate(
        MetricSpec("roc_auc", "roc_auc"), answers, labels, scores, threshold=0.5, confidence=0.95
    )
    truth = InfluenceMetrics("binary_classification").score(["roc_auc"], 1 - later, answers, 0.95)["roc_auc"]
    assert found.low > truth.value + 0.1


def test_a_small_holdout_calibrates_by_a_curve_and_says_less_surely() -> None:
    labels, scores = drawn(300, 1)
    large_labels, large_scores = drawn(6_000, 1)
    _, answers = drawn(2_000, 2)
    spec = MetricSpec("roc_auc", "roc_auc")
    small = estimate(spec, answers, labels, scores, threshold=0.5, confidence=0.95)
    large = estimate(spec, answers, large_labels, large_scores, threshold=0.5, confidence=0.95)
    assert small.value == pytest.approx(large.value, abs=0.03)
    assert small.high - small.low > large.high - large.low


def test_equal_input_gives_an_equal_estimate() -> None:
    labels, scores = drawn(1_200, 1)
    _, answers = drawn(500, 2)
    first, second = (
        estimate(MetricSpec("f1", "f1"), answers, labels, scores, threshold=0.5, confidence=0.9)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("spec", "answers", "labels", "said"),
    [
        (MetricSpec("cost", outcomes=None, callable="a.b:c"), [0.5], [0.0, 1.0], "cannot be estimated"),
        (MetricSpec("roc_auc", "roc_auc"), [1.5], [0.0, 1.0], "no probabilities"),
        (MetricSpec("roc_auc", "roc_auc"), [0.5], [1.0, 1.0], "one class only"),
        (MetricSpec("roc_auc", "roc_auc"), [], [0.0, 1.0], "no answers"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_the_reason(spec, answers, labels, said) -> None:
    with pytest.raises(DataRefused, match=said):
        estimate(spec, answers, labels, [0.2, 0.8], threshold=0.5, confidence=0.95)
