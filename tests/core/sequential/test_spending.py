"""How sure each look must be at rows that come in bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.sequential import critical_value

LEVEL = 0.025


def false_alarms(shares: Sequence[float], asked: Sequence[float], times: int = 4000) -> float:
    """How often a sum without drift is beyond what is asked at any of the looks."""
    random, alarms = Random(11), 0
    for _ in range(times):
        total = last = 0.0
        for share, needed in zip(shares, asked, strict=True):
            total += random.gauss(0, (share - last) ** 0.5)
            last = share
            if total / share**0.5 > needed:
                alarms += 1
                break
    return alarms / times


def spent(shares: Sequence[float], *, ends: bool = True) -> list[float]:
    before = [0.0, *shares[:-1]]
    return [
        critical_value(LEVEL, share, before=last, last=ends and share == shares[-1])
        for share, last in zip(shares, before, strict=True)
    ]


@pytest.mark.parametrize(
    "shares",
    [
        [number / 10 for number in range(1, 11)],
        [0.3, 0.6, 0.96],
        [0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.3, 0.4, 0.5, 0.6],  # the deadline comes before the rest
        [0.9, 0.91, 0.92, 0.93, 0.94, 0.95],
    ],
)
def test_false_alarms_over_all_looks_are_as_rare_as_at_one(shares: list[float]) -> None:
    assert false_alarms(shares, spent(shares)) <= 0.030  # 2.5 %, and what chance adds in 4000
    assert false_alarms(shares, spent(shares, ends=False)) <= 0.030


def test_looking_ten_times_as_if_each_look_were_the_only_one_is_wrong_four_times_as_often() -> None:
    shares = [number / 10 for number in range(1, 11)]
    assert false_alarms(shares, [1.96] * 10) > 0.08


def test_one_look_alone_asks_for_no_more_than_an_interval_does() -> None:
    assert critical_value(LEVEL, 1.0, last=True) == pytest.approx(1.960, abs=0.001)
    assert critical_value(LEVEL, 0.5, last=True) == pytest.approx(1.960, abs=0.001)


def test_early_looks_ask_for_much_and_the_last_one_for_little_more_than_a_single_one() -> None:
    assert critical_value(LEVEL, 0.3) == pytest.approx(4.09, abs=0.01)
    assert critical_value(LEVEL, 0.96, before=0.6, last=True) == pytest.approx(2.03, abs=0.01)


@given(share=st.floats(0.02, 1), before=st.floats(0, 1), last=st.booleans())
def test_more_rows_never_ask_for_more(share: float, before: float, last: bool) -> None:
    before *= share * 0.99
    asked = critical_value(LEVEL, share, before=before, last=last)
    assert asked >= 1.959
    assert asked <= critical_value(LEVEL, share / 2, before=before / 2)


def test_looks_that_cannot_be_are_refused() -> None:
    for share, before in ((0.0, 0.0), (1.1, 0.0), (0.5, 0.5), (0.5, -0.1)):
        with pytest.raises(ValueError, match="no look"):
            critical_value(LEVEL, share, before=before)
