"""From an interval to p-values and intervals at other levels: exact where it is a share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp
from statsmodels.stats.proportion import proportion_confint

from airflow_mlops.backends.gates.tails import Share, tails_of
from airflow_mlops.backends.metrics_influence import InfluenceMetrics


@pytest.mark.parametrize(
    ("hits", "rows", "bound"), [(40, 60, 0.9), (57, 60, 0.8), (0, 60, 0.1), (60, 60, 0.5)]
)
def test_a_share_of_rows_has_the_exact_p_value_and_limits(hits: int, rows: int, bound: float) -> None:
    share = Share(hits / rows, rows)
    assert share.p_below(bound) == pytest.approx(binomtest(hits, rows, bound, alternative="less").pvalue)
    assert share.p_above(bound) == pytest.approx(binomtest(hits, rows, bound, alternative="greater").pvalue)
    low, high = proportion_confint(hits, rows, alpha=0.01, method="beta")
    found = share.interval(0.005)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def scored(metric: str, label: object, answers: object, task: str = "binary_classification"):
    return InfluenceMetrics(task).score([metric], label, answers, 0.95)[metric]  # type: ignore[arg-type]


def test_accuracy_is_recognised_as_a_share_of_its_rows() -> None:
    label = np.arange(200) % 2
    answers = np.where(np.arange(200) < 180, label, 1 - label)
    tails = tails_of(scored("accuracy", label, answers), 0.95, 200)
    assert isinstance(tails, Share)
    assert tails.rows == pytest.approx(200)
    assert tails.p_below(0.95) == pytest.approx(binomtest(180, 200, 0.95, alternative="less").pvalue, rel=0.1)


@pytest.mark.parametrize("all_right", [True, False])
def test_a_share_at_its_end_speaks_of_as_many_rows_as_its_interval_says(all_right: bool) -> None:
    label = np.arange(50) % 2
    estimate = scored("accuracy", label, label if all_right else 1 - label)
    tails = tails_of(estimate, 0.95, 50)
    assert isinstance(tails, Share)
    assert tails.rows == pytest.approx(50, abs=0.2)
    assert (tails.p_below(0.9), tails.p_above(0.1))[all_right] < 0.05
    assert (tails.p_below(0.9), tails.p_above(0.1))[not all_right] == 1


def test_a_mean_is_students() -> None:
    error = np.random.default_rng(0).exponential(size=80)
    tails = tails_of(scored("mean_absolute_error", np.zeros(80), error, "regression"), 0.95, 80)
    for bound in (0.5, 0.9, 1.1):
        expected = ttest_1samp(error, bound, alternative="greater").pvalue
        assert tails.p_above(bound) == pytest.approx(expected, rel=1e-6)
        assert tails.p_below(bound) == pytest.approx(1 - expected, rel=1e-6)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
def test_an_interval_excludes_just_the_bounds_whose_p_value_is_below_its_level(metric: str) -> None:
    random = np.random.default_rng(1)
    label = random.integers(0, 2, 120)
    answers = np.clip(0.5 * label + random.random(120) * 0.6, 0.05, 0.95)
    tails = tails_of(scored(metric, label, answers), 0.95, 120)
    for level in (0.025, 1e-5):
        interval = tails.interval(level)
        assert tails.p_below(interval.high) == pytest.approx(level)
        assert tails.p_above(interval.low) == pytest.approx(level)
