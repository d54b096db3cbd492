"""A number with its interval against bounds, and a percentile with an interval of its own."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_mlops.core.gates import fewest_for_quantile, quantile
from airflow_mlops.core.gates.bounds import DecideBy, within
from airflow_mlops.core.values import Estimate

BELOW, LOW_END, INSIDE, HIGH_END, ABOVE = (
    Estimate(0.5, 0.4, 0.6),
    Estimate(1.1, 0.9, 1.3),
    Estimate(1.5, 1.2, 1.8),
    Estimate(1.9, 1.7, 2.1),
    Estimate(2.5, 2.4, 2.6),
)


@pytest.mark.parametrize(
    ("decide_by", "outcomes"),
    [
        ("value", ["fail", "pass", "pass", "pass", "fail"]),
        ("interval", ["fail", "inconclusive", "pass", "inconclusive", "fail"]),
        ("proven_harm", ["fail", "pass", "pass", "pass", "fail"]),
    ],
)
def test_an_interval_is_within_beyond_or_astride_its_bounds(decide_by: DecideBy, outcomes: list[str]) -> None:
    estimates = (BELOW, LOW_END, INSIDE, HIGH_END, ABOVE)
    assert [within(one, 1.0, 2.0, decide_by) for one in estimates] == outcomes


def test_by_value_a_number_just_beyond_a_bound_fails_though_its_interval_reaches_inside() -> None:
    just_beyond = Estimate(2.01, 1.5, 2.5)
    assert within(just_beyond, None, 2.0, "value") == "fail"
    assert within(just_beyond, None, 2.0, "proven_harm") == "pass"
    assert within(just_beyond, None, 2.0, "interval") == "inconclusive"


@pytest.mark.parametrize("decide_by", ["value", "interval", "proven_harm"])
def test_bounds_are_included_and_a_missing_one_bounds_nothing(decide_by: DecideBy) -> None:
    assert within(Estimate(1.0, 1.0, 2.0), 1.0, 2.0, decide_by) == "pass"
    assert within(Estimate(-1e9, -1e9, -1e9), None, 2.0, decide_by) == "pass"
    assert within(Estimate(1e9, 1e9, 1e9), 1.0, None, decide_by) == "pass"


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("decide_by", ["value", "interval", "proven_harm"])
def test_what_is_no_finite_number_fails(value: float, decide_by: DecideBy) -> None:
    assert within(Estimate(value, 0.0, 1.0), None, inf, decide_by) == "fail"


def test_an_interval_without_ends_proves_nothing() -> None:
    endless = Estimate(1.5, -inf, inf)
    assert within(endless, 1.0, 2.0, "interval") == "inconclusive"
    assert within(endless, 1.0, 2.0, "proven_harm") == "pass"


@given(st.integers(20, 400), st.sampled_from([0.5, 0.95, 0.99]), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_ends_of_a_percentile_are_the_ranks_that_scipys_binomial_gives(
    n: int, share: float, confidence: float
) -> None:
    found = quantile(list(range(1, n + 1)), share, confidence)
    tail = (1 - confidence) / 2
    ranks = np.arange(1, n + 1)
    low = ranks[stats.binom.cdf(ranks - 1, n, share) <= tail]
    high = ranks[stats.binom.sf(ranks - 1, n, share) <= tail]
    assert found.low == (low.max() if len(low) else -inf)
    assert found.high == (high.min() if len(high) else inf)
    assert found.value == np.quantile(np.arange(1, n + 1), share, method="inverted_cdf")


def test_the_interval_of_a_percentile_holds_the_true_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    true = stats.lognorm(1.0).ppf(0.95)
    found = [quantile(rng.lognormal(size=300).tolist(), 0.95, 0.9) for _ in range(400)]
    held = np.mean([one.low <= true <= one.high for one in found])
    assert 0.88 <= held <= 0.97


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_fewer_values_than_are_needed_leave_an_end_open(share: float) -> None:
    needed = fewest_for_quantile(share, 0.95)
    whole, open_ = (quantile(list(range(n)), share, 0.95) for n in (needed, needed - 1))
    assert np.isfinite([whole.low, whole.high]).all()
    assert not np.isfinite([open_.low, open_.high]).all()


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to take a quantile of"):
        quantile([], 0.5, 0.95)
