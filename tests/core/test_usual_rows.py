"""Which earlier windows say how many rows are usual, and when a change of their number is one that lasts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from airflow_mlops.core.faults import Counted, Usual, usual
from airflow_mlops.core.windows import Window

MONDAY = datetime(2026, 3, 2, tzinfo=timezone.utc)


def windows(*rows: int, days: int = 7) -> list[Counted]:
    length = timedelta(days=days)
    return [
        Counted(Window(MONDAY + place * length, MONDAY + (place + 1) * length), count)
        for place, count in enumerate(rows)
    ]


def last_of(*rows: int, days: int = 7, most: int = 6) -> Usual:
    *before, now = windows(*rows, days=days)
    return usual(now, before, most)


def held_against(found: Usual) -> list[int]:
    return [one.rows for one in found.windows]


def test_the_latest_windows_say_what_is_usual_and_one_that_is_far_off_does_not() -> None:
    assert held_against(last_of(100, 110, 120, 130, 40, 400, 140, 150, most=4)) == [110, 120, 130, 140]


@pytest.mark.parametrize("odd", [(40, 42, 38), (400, 420, 380)])
def test_three_odd_windows_in_a_row_that_are_alike_make_a_new_level(odd: tuple[int, ...]) -> None:
    found = last_of(100, 110, 120, *odd)
    assert found.new is not None
    assert (found.new.before, found.new.after) == (110, odd[0])
    assert held_against(found) == list(odd[:2])
    later = last_of(100, 110, 120, *odd, odd[0])
    assert (later.new, len(later.levels), held_against(later)) == (None, 1, list(odd))


@pytest.mark.parametrize("odd", [(40, 42), (50, 20, 35), (40, 42, 100, 38), (40, 400, 42)])
def test_what_is_odd_for_two_windows_or_not_alike_or_not_in_a_row_changes_nothing(
    odd: tuple[int, ...],
) -> None:
    found = last_of(100, 110, 120, *odd, most=3)
    assert (found.levels, held_against(found)[0]) == ((), 110 if 100 in odd else 100)


def test_levels_may_follow_each_other() -> None:
    assert [one.after for one in last_of(100, 100, 100, 40, 40, 40, 100, 100, 100).levels] == [40, 100]


def test_days_are_held_against_their_own_day_of_the_week_once_there_are_three() -> None:
    week = (100, 100, 100, 100, 100, 40, 41)
    assert held_against(last_of(*week, *week, *week, *week[:6], days=1)) == [40, 40, 40]
    assert held_against(last_of(*week, *week[:6], days=1)) == [100] * 6


def test_windows_that_overlap_count_once() -> None:
    days = [
        Counted(Window(MONDAY + timedelta(days=day), MONDAY + timedelta(days=day + 7)), day)
        for day in range(29)
    ]
    assert held_against(usual(days[-1], days[:-1], 6)) == [0, 7, 14, 21]


def test_a_window_that_was_looked_at_again_counts_by_the_later_look() -> None:
    first, second = windows(100, 100)
    assert held_against(usual(second, [first, Counted(first.window, 90)], 6)) == [90]


def test_months_are_as_long_as_each_other_and_weeks_are_not() -> None:
    months = [datetime(2026, month, 1, tzinfo=timezone.utc) for month in range(1, 5)]
    january, february, march = (Window(*ends) for ends in pairwise(months))
    week = Counted(Window(january.start - timedelta(days=7), january.start), 7)
    assert held_against(usual(Counted(february, 1), [Counted(january, 31), week], 6)) == [31]
    assert Counted(january, 310).in_length_of(february) == 280
    assert held_against(usual(Counted(march, 1), [Counted(february, 28), week], 6)) == [28]
