"""The interval of a mean that may be looked at after every value."""

from __future__ import annotations

from math import exp, inf, log, sqrt
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from airflow_mlops.core.sequential import confidence_sequence
from airflow_mlops.core.sequential.mean import FEWEST


def test_the_interval_is_that_of_theorem_2_2() -> None:
    """Spread by the exact formula with Lambert's W, which the code approximates."""
    count, alpha = 2_500, 0.05
    exact = (-lambertw(-(alpha**2) * exp(-1), -1).real - 1) / 1_000
    grown = count * exact + 1
    margin = 1.7 * sqrt(2 * grown / (count**2 * exact) * log(sqrt(grown) / alpha))
    low, high = confidence_sequence(count, 0.3, 1.7**2, alpha)
    assert (low, high) == pytest.approx((0.3 - margin, 0.3 + margin), rel=2e-3)


def test_one_side_at_half_the_risk_is_nearly_the_end_of_both() -> None:
    both = confidence_sequence(1_000, 0.0, 1.0, 0.05)
    one = confidence_sequence(1_000, 0.0, 1.0, 0.025, sides="one")
    assert one == pytest.approx(both, rel=0.03)
    assert confidence_sequence(1_000, 0.0, 1.0, 0.05, sides="one")[1] < both[1]


def test_nothing_is_said_of_few_values_or_of_values_that_do_not_vary() -> None:
    assert confidence_sequence(FEWEST - 1, 0.0, 1.0) == (-inf, inf)
    assert confidence_sequence(10_000, 0.0, 0.0) == (-inf, inf)
    low, high = confidence_sequence(10_000, 0.0, 0.0, widest=2.0)
    assert -0.01 < low < 0 < high < 0.01


def test_numbers_that_cannot_be_are_refused() -> None:
    for count, variance, alpha in (
        (-1, 1.0, 0.05),
        (10, -1.0, 0.05),
        (10, 1.0, 0.0),
        (10, float("nan"), 0.1),
    ):
        with pytest.raises(ValueError, match="variance"):
            confidence_sequence(count, 0.0, variance, alpha)
    with pytest.raises(ValueError, match="do not vary"):
        confidence_sequence(10, 0.0, 1.0, widest=0.0)


@given(
    count=st.integers(FEWEST, 10**7),
    mean=st.floats(-1e6, 1e6),
    deviation=st.floats(1e-3, 1e3),
    alpha=st.floats(1e-4, 0.4),
)
def test_more_values_and_more_risk_both_narrow_it_and_a_sign_only_mirrors_it(
    count: int, mean: float, deviation: float, alpha: float
) -> None:
    low, high = confidence_sequence(count, mean, deviation**2, alpha)
    assert low < mean < high
    mirrored = confidence_sequence(count, -mean, deviation**2, alpha)
    assert mirrored == (-high, -low)
    narrower = confidence_sequence(2 * count, mean, deviation**2, alpha)
    assert narrower[1] - narrower[0] < high - low
    riskier = confidence_sequence(count, mean, deviation**2, 2 * alpha)
    assert riskier[1] - riskier[0] < high - low


@pytest.mark.parametrize("sides", ["both", "one"])
@pytest.mark.parametrize(("worse", "better"), [(0.03, 0.0), (0.005, 0.0), (0.05, 0.05)])
def test_a_hundred_looks_at_paired_losses_rarely_miss_the_true_difference(
    worse: float, better: float, sides: Literal["both", "one"]
) -> None:
    """Losses of 0 and 1 that differ on few rows: skewed, and without a difference at first."""
    random = Random(20261127)
    missed = sum(_misses(worse, better, sides, random) for _ in range(200))
    assert missed <= 0.05 * 200 + 2 * sqrt(200 * 0.05 * 0.95)


def _misses(worse: float, better: float, sides: Literal["both", "one"], random: Random) -> bool:
    count = total = squares = 0
    while count < 5_000:
        for _ in range(50):
            drawn = random.random()
            value = 1 if drawn < worse else -1 if drawn < worse + better else 0
            count, total, squares = count + 1, total + value, squares + value * value
        mean = total / count
        low, high = confidence_sequence(count, mean, squares / count - mean**2, 0.05, sides=sides, widest=2.0)
        if high < worse - better or (sides == "both" and low > worse - better):
            return True
    return False
