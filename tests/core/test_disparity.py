"""Widest difference and smallest ratio of groups: worked numbers, and how often their intervals cover."""

from __future__ import annotations

from functools import cache
from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import studentized_range
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from airflow_mlops.core.gates.disparity import smallest_ratio, widest_difference
from airflow_mlops.core.proportions import wilson
from airflow_mlops.core.values import Estimate

Z = 1.959963984540054


@cache
def critical(groups: int) -> float:
    return float(studentized_range.ppf(0.95, groups, inf)) / sqrt(2)


@pytest.mark.parametrize(("hits", "rows"), [(0, 12), (3, 20), (81, 263), (50, 50)])
def test_the_interval_of_a_share_is_wilsons(hits: int, rows: int) -> None:
    low, high = proportion_confint(hits, rows, method="wilson")
    share = wilson(hits, rows, Z)
    assert (share.value, share.low, share.high) == pytest.approx((hits / rows, low, high), abs=1e-9)


def test_two_groups_differ_by_newcombes_interval() -> None:
    # Newcombe 1998, table II, row (a): 56/70 against 48/80, method 10.
    found = widest_difference([wilson(56, 70, Z), wilson(48, 80, Z)])
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_the_ratio_is_that_of_the_smallest_and_the_largest() -> None:
    groups = [wilson(hits, 100, Z) for hits in (50, 40, 20)]
    found = smallest_ratio(groups)
    assert found.value == 0.4
    assert found.low < 0.4 < found.high < 1
    # Every pair's interval of a ratio is close to the usual one on the log scale (Katz) at such numbers.
    low, high = confint_proportions_2indep(20, 100, 50, 100, method="log", compare="ratio")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_a_group_without_a_hit_has_a_ratio_of_zero_with_a_width() -> None:
    found = smallest_ratio([wilson(0, 40, Z), wilson(20, 40, Z)])
    assert (found.value, found.low) == (0, 0)
    assert 0.1 < found.high < 0.3


def test_without_a_hit_anywhere_no_ratio_is_made_up() -> None:
    with pytest.raises(ValueError, match="0 in every group"):
        smallest_ratio([wilson(0, 40, Z), wilson(0, 30, Z)])


def test_one_group_alone_is_not_compared() -> None:
    with pytest.raises(ValueError, match="nothing to compare: 1 group"):
        widest_difference([Estimate(0.5, 0.4, 0.6)])


@pytest.mark.parametrize(
    ("true_shares", "rows"),
    [((0.3, 0.3), (80, 120)), ((0.3, 0.3, 0.3, 0.3, 0.3), (60,) * 5), ((0.1, 0.4, 0.5), (50, 200, 400))],
)
def test_intervals_cover_the_truth_at_least_as_often_as_they_say(
    true_shares: tuple[float, ...], rows: tuple[int, ...]
) -> None:
    trials = 2_000
    hits = np.random.default_rng(1).binomial(rows, true_shares, (trials, len(rows))).tolist()
    difference, ratio = max(true_shares) - min(true_shares), min(true_shares) / max(true_shares)
    covered = [0, 0]
    for drawn in hits:
        groups = [wilson(*group, critical(len(rows))) for group in zip(drawn, rows, strict=True)]
        spread, least = widest_difference(groups), smallest_ratio(groups)
        covered[0] += spread.low <= difference <= spread.high
        covered[1] += least.low <= ratio <= least.high
    within_error = 0.95 - 2.6 * sqrt(0.95 * 0.05 / trials)
    assert min(covered) / trials > within_error, covered
