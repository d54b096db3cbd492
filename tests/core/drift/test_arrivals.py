"""How many rows arrive beside what is usual, and how fresh they are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.drift.arrivals import freshness, volume
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def days(first: int, count: int) -> Window:
    return Window(START + timedelta(days=first), START + timedelta(days=first + count))


BEFORE = [(1_000, days(0, 10)), (1_200, days(10, 10)), (9_000, days(20, 10))]


def of(rows: int, window: Window, before=BEFORE):
    return volume(rows, window, before, minimum_ratio=0.5, maximum_ratio=2.0)


def test_what_is_usual_is_the_median_of_the_windows_before_by_their_length() -> None:
    found = of(1_100, days(30, 10))
    assert (found.usual, found.fault) == (pytest.approx(1_200), None)
    assert of(600, days(30, 5)).ratio == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "said"), [(500, "0.417 of the usual 1200, below"), (2_500, "above the bound 2")]
)
def test_too_few_and_too_many_rows_are_told_with_their_bound(rows: int, said: str) -> None:
    fault = of(rows, days(30, 10)).fault
    assert fault is not None
    assert said in fault


def test_with_nothing_to_compare_with_no_number_is_wrong() -> None:
    found = of(1, days(30, 10), before=[])
    assert (found.usual, found.ratio, found.fault) == (None, None, None)


def test_a_newest_row_that_is_too_old_is_a_fault_and_its_age_is_known_in_any_case() -> None:
    window, newest = days(0, 10), START + timedelta(days=8)
    stale = freshness(newest, window, Period.parse("1 day"))
    assert stale.age == timedelta(days=2)
    assert stale.fault is not None
    assert "older than 1 day" in stale.fault
    assert freshness(newest, window, Period.parse("2 days")).fault is None
    assert freshness(newest, window, None).fault is None
    assert freshness(None, window, Period.parse("1 day")).age is None
