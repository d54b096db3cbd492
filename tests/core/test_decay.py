"""From a metric on landed labels to a signal: decay of the model."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.decay import SlicePerformance, decay_verdict, judge_slices, lost
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
            "roc_auc 0.6500 (0.6300 to 0.6700) on 900 labels; 0.7200 (0.7100 to 0.7300) was promised, and it "
            "is surely worse than the limit 0.7000 (tolerance 0.0200)",
        ),
    )


def test_a_metric_whose_interval_reaches_the_tolerance_is_not_surely_decayed() -> None:
    verdict = decay(Estimate(0.69, 0.67, 0.71))
    assert verdict.outcome == "inconclusive"
    assert "worse than the limit 0.7000 (tolerance 0.0200), but the intervals reach it" in verdict.reasons[0]


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


def test_a_promise_that_swings_takes_a_larger_fall_to_be_broken_for_sure() -> None:
    observed = Estimate(0.675, 0.660, 0.690)

    def against(half: float) -> str:
        promise = Estimate(0.72, 0.72 - half, 0.72 + half)
        return decay_verdict(
            "roc_auc", observed, promise, tolerance=0.02, labels=900, minimum_labels=200
        ).outcome

    assert against(0.005) == "fail"  # 0.045 lost, give or take 0.016
    assert against(0.030) == "inconclusive"  # give or take 0.034


def test_what_was_lost_is_uncertain_by_both_intervals_as_squares() -> None:
    gap = lost("roc_auc", Estimate(0.60, 0.57, 0.63), Estimate(0.70, 0.66, 0.74))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.10, 0.05, 0.15))
    worse = lost("log_loss", Estimate(0.50, 0.47, 0.53), Estimate(0.40, 0.36, 0.44))
    assert (worse.value, worse.low, worse.high) == pytest.approx((0.10, 0.05, 0.15))


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


def slice_of(name: str, observed: float, promised: float = 0.72, half: float = 0.02) -> SlicePerformance:
    return SlicePerformance(
        name,
        Estimate(observed, observed - half, observed + half),
        Estimate(promised, promised - half, promised + half),
        400,
    )


def test_the_slice_that_fell_is_accused_and_comes_first_and_the_others_are_not() -> None:
    slices = [slice_of(f"carrier={index}", 0.71) for index in range(9)] + [slice_of("carrier=UA", 0.55)]
    judged = judge_slices("roc_auc", slices, tolerance=0.02, confidence=0.95, correction="benjamini_hochberg")
    assert [one.outcome for one in judged] == ["fail"] + ["pass"] * 9
    assert judged[0].slice.name == "carrier=UA"
    assert "carrier=UA: 0.5500 (0.5300 to 0.5700) on 400 labels where 0.7200" in judged[0].reason


def test_of_slices_that_did_not_fall_hardly_any_is_accused_however_many_there_are() -> None:
    random, accused = Random(3), 0
    for _ in range(200):
        # True values at the tolerance: 0.70 where 0.72 was promised, both seen with an error of 0.01.
        slices = [
            SlicePerformance(
                str(index),
                Estimate(seen := random.gauss(0.70, 0.01), seen - 0.0196, seen + 0.0196),
                Estimate(said := random.gauss(0.72, 0.01), said - 0.0196, said + 0.0196),
                400,
            )
            for index in range(40)
        ]
        judged = judge_slices(
            "roc_auc", slices, tolerance=0.02, confidence=0.95, correction="benjamini_hochberg"
        )
        accused += any(one.outcome == "fail" for one in judged)
    assert accused <= 12  # 2.5 % of 200 are expected; uncorrected, six in ten


def test_a_fall_that_chance_could_be_is_left_open() -> None:
    (judged,) = judge_slices(
        "roc_auc", [slice_of("a", 0.69)], tolerance=0.02, confidence=0.95, correction="holm"
    )
    assert judged.outcome == "inconclusive"


def test_a_slice_that_is_known_exactly_is_judged_by_its_value() -> None:
    exact = [slice_of("a", 0.69, half=0.0), slice_of("b", 0.71, half=0.0)]
    judged = judge_slices("roc_auc", exact, tolerance=0.02, confidence=0.95, correction="none")
    assert [(one.slice.name, one.outcome) for one in judged] == [("a", "fail"), ("b", "pass")]


def test_a_look_before_all_labels_are_there_must_be_surer_and_says_so() -> None:
    observed, promise = Estimate(0.65, 0.63, 0.67), Estimate(0.72, 0.71, 0.73)

    def at(widening: float) -> Verdict:
        return decay_verdict(
            "roc_auc", observed, promise, tolerance=0.02, labels=900, minimum_labels=200, widening=widening
        )

    assert at(1.0).outcome == at(2.0).outcome == "fail"
    assert at(2.5).outcome == "inconclusive"
    assert "but a look before all labels are there must be 2.50 times as sure" in at(2.5).reasons[0]
