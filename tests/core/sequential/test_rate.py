"""Evidence that a rate is above a limit."""

from __future__ import annotations

from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_mlops.core.sequential import rate_evidence


def test_it_is_the_mean_of_seven_likelihood_ratios() -> None:
    ratios = [
        stats.binom.pmf(7, 400, 0.01 ** (step / 8)) / stats.binom.pmf(7, 400, 0.01) for step in range(1, 8)
    ]
    assert rate_evidence(7, 400, 0.01) == pytest.approx(sum(ratios) / 7)


def test_evidence_starts_at_one_and_stays_finite() -> None:
    assert rate_evidence(0, 0, 0.01) == 1.0
    assert rate_evidence(10**6, 10**6, 0.01) < inf
    assert rate_evidence(0, 10**6, 0.01) < 1e-6
    assert rate_evidence(9, 9, 1 - 1e-16) == rate_evidence(9, 9, 1.0) == 1.0
    assert rate_evidence(1, 1, 1e-300) > 20


def test_where_nothing_may_happen_one_hit_is_proof_and_impossible_counts_are_refused() -> None:
    assert rate_evidence(1, 300, 0.0) == inf
    assert rate_evidence(0, 300, 0.0) == 1.0
    with pytest.raises(ValueError, match="5 hits in 4 trials"):
        rate_evidence(5, 4, 0.01)


@given(trials=st.integers(1, 5_000), share=st.floats(0, 0.999), limit=st.floats(0.001, 0.9))
def test_one_more_hit_never_weakens_the_evidence(trials: int, share: float, limit: float) -> None:
    hits = int(share * trials)
    assert rate_evidence(hits + 1, trials, limit) >= rate_evidence(hits, trials, limit)


@given(hits=st.integers(0, 50), misses=st.integers(0, 500), limit=st.floats(0.001, 0.9))
def test_one_more_trial_at_the_limit_wins_nothing_on_average(hits: int, misses: int, limit: float) -> None:
    """The martingale itself: this is what every promise about repeated looks rests on."""
    trials = hits + misses
    now = rate_evidence(hits, trials, limit)
    then = limit * rate_evidence(hits + 1, trials + 1, limit)
    then += (1 - limit) * rate_evidence(hits, trials + 1, limit)
    assert log(then) == pytest.approx(log(now), abs=1e-9)


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.5])
def test_looking_after_every_trial_raises_a_false_alarm_in_at_most_5_percent(limit: float) -> None:
    """Exact, not simulated: the chance of each count of hits that has not yet raised an alarm."""
    quiet = {0: 1.0}
    alarmed = 0.0
    for trials in range(1, 1_001):
        following: dict[int, float] = {}
        for hits, chance in quiet.items():
            following[hits] = following.get(hits, 0.0) + chance * (1 - limit)
            following[hits + 1] = following.get(hits + 1, 0.0) + chance * limit
        quiet = {}
        for hits, chance in following.items():
            if chance < 1e-12:
                continue
            # Below the limit there is no evidence to compute.
            if hits > limit * trials and rate_evidence(hits, trials, limit) >= 20:
                alarmed += chance
            else:
                quiet[hits] = chance
    assert 0 < alarmed <= 0.05


def test_the_rows_that_a_rate_of_twice_the_limit_takes_are_what_information_theory_says() -> None:
    """log 20 and the price of seven bets, over the information of one trial."""
    information = 0.02 * log(2) + 0.98 * log(0.98 / 0.99)
    trials = round((log(20) + log(7)) / information)
    assert rate_evidence(round(0.02 * trials), trials, 0.01) == pytest.approx(20, rel=0.5)
    assert rate_evidence(round(0.02 * trials), trials, 0.01) < exp(log(20) + log(7))
