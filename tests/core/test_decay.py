"""From a metric on landed labels to a signal: decay of the model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.decay import decay_verdict
from airflow_mlops.core.values import Estimate, Verdict


def decay(
    observed: Estimate, *, metric: str = "roc_auc", promised: float = 0.72, labels: int = 900
) -> Verdict:
    promise = Estimate(promised, promised - 0.01, promised + 0.01)
    return decay_verdict(metric, observed, promise, tolerance=0.02, labels=labels, minimum_labels=200)


def test_a_metric_wholly_below_the_tolerance_has_decayed() -> None:
    assert decay(Estimate(0.65, 0.63, 0.67)) == Verdict(
        "fail",
        (
            "roc_auc 0.6500 (0.6300 to 0.6700) on 900 labels; 0.7200 was promised, and all of the interval "
            "is worse than the limit 0.7000 (tolerance 0.0200)",
        ),
    )


def test_a_metric_whose_interval_reaches_the_tolerance_is_not_surely_decayed() -> None:
    verdict = decay(Estimate(0.69, 0.67, 0.71))
    assert verdict.outcome == "inconclusive"
    assert "worse than the limit 0.7000 (tolerance 0.0200), but the interval reaches it" in verdict.reasons[0]


def test_a_metric_within_the_tolerance_or_better_has_not_decayed() -> None:
    assert decay(Estimate(0.71, 0.66, 0.76)).passed
    assert decay(Estimate(0.80, 0.79, 0.81)).passed


def test_for_a_loss_metric_a_rise_is_decay() -> None:
    assert decay(Estimate(0.50, 0.49, 0.51), metric="log_loss", promised=0.44).outcome == "fail"
    assert decay(Estimate(0.47, 0.45, 0.49), metric="log_loss", promised=0.44).outcome == "inconclusive"
    assert decay(Estimate(0.40, 0.39, 0.41), metric="log_loss", promised=0.44).passed
    assert "the limit 0.4600" in decay(Estimate(0.5, 0.4, 0.6), metric="log_loss", promised=0.44).reasons[0]


def test_too_few_labels_decide_nothing() -> None:
    assert decay(Estimate(0.1, 0.0, 0.2), labels=199) == Verdict(
        "inconclusive", ("199 of 200 labels have landed",)
    )


def test_a_metric_of_unknown_direction_is_refused_even_without_labels() -> None:
    with pytest.raises(ValueError, match="nobody knows"):
        decay(Estimate(0.1, 0.0, 0.2), metric="rocauc", labels=0)


@given(value=st.floats(0, 1), half=st.floats(0, 0.3), drop=st.floats(0, 0.5))
def test_a_lower_value_never_looks_healthier(value: float, half: float, drop: float) -> None:
    gravity = {"fail": 0, "inconclusive": 1, "pass": 2}
    before = decay(Estimate(value, value - half, value + half)).outcome
    after = decay(Estimate(value - drop, value - drop - half, value - drop + half)).outcome
    assert gravity[after] <= gravity[before]


def test_a_fall_of_exactly_the_tolerance_is_allowed() -> None:
    def after(observed: Estimate) -> str:
        promise = Estimate(0.75, 0.7, 0.8)
        return decay_verdict(
            "roc_auc", observed, promise, tolerance=0.25, labels=200, minimum_labels=200
        ).outcome

    assert after(Estimate(0.5, 0.4, 0.6)) == "pass"
    assert after(Estimate(0.375, 0.25, 0.5)) == "inconclusive"
    assert after(Estimate(0.25, 0.125, 0.375)) == "fail"
