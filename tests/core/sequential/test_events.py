"""Whose error the next one is: evidence that the challenger has more of them than its share."""

from __future__ import annotations

from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.sequential import Events, excess_evidence
from airflow_mlops.core.sequential.events import RATIOS

shares = st.floats(0.001, 0.999)
counts = st.integers(0, 60)
stages = st.lists(st.builds(Events, shares, counts, counts), max_size=4)


def test_a_worked_example() -> None:
    """A canary of 10 % with 8 of 20 errors: each bet's ratio by the formula, with the chances written out."""
    chances = [ratio * 0.1 / (ratio * 0.1 + 0.9) for ratio in RATIOS]
    ratios = [(chance / 0.1) ** 8 * ((1 - chance) / 0.9) ** 12 for chance in chances]
    assert excess_evidence([Events(0.1, 8, 12)]) == pytest.approx(sum(ratios) / len(ratios))


def test_nothing_seen_is_no_evidence_and_a_challenger_that_answers_everything_has_none() -> None:
    assert excess_evidence([]) == excess_evidence([Events(0.1, 0, 0)]) == pytest.approx(1)
    assert excess_evidence([Events(1.0, 500, 0)]) == pytest.approx(1)


def test_what_cannot_be_is_refused() -> None:
    for share in (0.0, -0.1, 1.1):
        with pytest.raises(ValueError, match="share"):
            Events(share, 1, 1)
    with pytest.raises(ValueError, match="cannot be"):
        Events(0.5, -1, 1)
    with pytest.raises(ValueError, match="no rate is 0 times"):
        excess_evidence([], tolerated=0)


@given(stages=stages, tolerated=st.floats(1, 5))
def test_evidence_does_not_depend_on_the_order_of_the_stages(stages: list[Events], tolerated: float) -> None:
    one = excess_evidence(stages, tolerated=tolerated)
    assert excess_evidence(stages[::-1], tolerated=tolerated) == pytest.approx(one)


@given(share=shares, first=st.tuples(counts, counts), second=st.tuples(counts, counts))
def test_two_stages_at_one_share_are_one_stage(
    share: float, first: tuple[int, int], second: tuple[int, int]
) -> None:
    apart = excess_evidence([Events(share, *first), Events(share, *second)])
    together = Events(share, first[0] + second[0], first[1] + second[1])
    assert excess_evidence([together]) == pytest.approx(apart)


@given(share=shares, ours=counts, theirs=counts)
def test_no_counts_speak_against_both_arms_whichever_is_called_the_challenger(
    share: float, ours: int, theirs: int
) -> None:
    one = excess_evidence([Events(share, ours, theirs)])
    other = excess_evidence([Events(1 - share, theirs, ours)])
    assert min(one, other) <= 1 + 1e-9


@given(stages=stages, share=shares, tolerated=st.floats(1, 5))
def test_one_more_event_at_the_tolerated_rate_wins_nothing_on_average(
    stages: list[Events], share: float, tolerated: float
) -> None:
    """The martingale, whatever was seen before and at whatever share the next call is made."""
    chance = tolerated * share / (tolerated * share + 1 - share)
    ours = excess_evidence([*stages, Events(share, 1, 0)], tolerated=tolerated)
    theirs = excess_evidence([*stages, Events(share, 0, 1)], tolerated=tolerated)
    now = excess_evidence(stages, tolerated=tolerated)
    assert log(chance * ours + (1 - chance) * theirs) == pytest.approx(log(now), abs=1e-6)


@given(stages=stages, share=shares)
def test_events_of_the_challenger_strengthen_it_and_those_of_the_champion_weaken_it(
    stages: list[Events], share: float
) -> None:
    now = excess_evidence(stages)
    assert excess_evidence([*stages, Events(share, 1, 0)]) >= now * (1 - 1e-12)
    assert excess_evidence([*stages, Events(share, 0, 1)]) <= now * (1 + 1e-12)
    assert excess_evidence(stages, tolerated=2) <= now * (1 + 1e-12)


def ever_proven(ratio: float, random: Random) -> bool:
    """A ramp of three shares with 150 errors at each, looked at after every one."""
    seen: list[Events] = []
    for share in (0.5, 0.1, 0.5):
        chance, ours, theirs = ratio * share / (ratio * share + 1 - share), 0, 0
        for _ in range(150):
            hit = random.random() < chance
            ours, theirs = ours + hit, theirs + (not hit)
            if excess_evidence([*seen, Events(share, ours, theirs)]) >= 20:
                return True
        seen.append(Events(share, ours, theirs))
    return False


def test_looks_after_every_error_of_a_ramp_rarely_prove_harm_that_is_not_there() -> None:
    random = Random(20261127)
    assert sum(ever_proven(1.0, random) for _ in range(120)) <= 0.05 * 120 + 5


def test_a_challenger_with_twice_the_errors_is_found_out_in_the_ramp() -> None:
    random = Random(20261128)
    assert sum(ever_proven(2.0, random) for _ in range(40)) >= 38
