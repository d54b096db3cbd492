"""Partitions: whole pieces of the calendar of a zone, and the windows that are made of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.core.partitions import latest_partitions, partition_of, whole_partitions
from airflow_mlops.core.windows import Period, Window

UTC = timezone.utc
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Africa/Cairo", "Australia/Lord_Howe")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "name", "window"),
    [
        ("hour", "2026-03-01T05", "2026-03-01T05:00 to 2026-03-01T06:00"),
        ("day", "2026-03-01", "2026-03-01 to 2026-03-02"),
        ("week", "2026-W09", "2026-02-23 to 2026-03-02"),
        ("month", "2026-03", "2026-03-01 to 2026-04-01"),
    ],
)
def test_a_moment_lies_in_the_hour_day_week_or_month_around_it(unit, name, window):
    found = partition_of(at("2026-03-01T05:30"), unit)
    assert (found.name, str(found.window)) == (name, window)


def test_a_day_follows_the_clocks_of_its_zone():
    spring = partition_of(at("2026-03-29T12:00"), "day", "Europe/Paris").window
    assert spring.end - spring.start == timedelta(hours=23)
    half = partition_of(at("2026-03-01T05:10"), "hour", "Asia/Kolkata")
    assert (half.name, str(half.window)) == ("2026-03-01T0430", "2026-03-01T04:30 to 2026-03-01T05:30")


def test_a_year_that_begins_in_last_years_week_is_named_by_iso():
    assert partition_of(at("2027-01-01"), "week").name == "2026-W53"


def test_a_window_is_cut_into_its_partitions():
    window = Window(at("2026-02-27"), at("2026-03-02"))
    assert [one.name for one in whole_partitions(window, "day")] == ["2026-02-27", "2026-02-28", "2026-03-01"]


def test_a_window_that_cuts_through_a_partition_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"whole partitions of one month \(UTC\).*2026-02-01 to 2026-04-01"):
        list(whole_partitions(Window(at("2026-02-27"), at("2026-03-02")), "month"))


def test_the_latest_partitions_are_over():
    now = at("2026-03-01T05:30")
    assert str(latest_partitions(now, "hour")) == "2026-03-01T04:00 to 2026-03-01T05:00"
    assert str(latest_partitions(now, "month")) == "2026-02-01 to 2026-03-01"
    assert str(latest_partitions(now, "day", length=Period.parse("3 days"))) == "2026-02-26 to 2026-03-01"
    assert str(latest_partitions(now, "week", length=Period.parse("10 days"))) == "2026-02-16 to 2026-02-23"
    assert str(latest_partitions(at("2026-03-01"), "day")) == "2026-02-28 to 2026-03-01"


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
)
def test_partitions_follow_each_other_without_gap_or_overlap(moment, unit, zone):
    moment = moment.replace(tzinfo=UTC)
    one = partition_of(moment, unit, zone)
    assert one.window.start <= moment < one.window.end
    following = partition_of(one.window.end, unit, zone)
    assert following.window.start == one.window.end
    assert following.name > one.name
    assert partition_of(one.window.start, unit, zone) == one
    last = latest_partitions(moment, unit, zone)
    assert last.end <= moment
    assert [part.window for part in whole_partitions(last, unit, zone)] == [last]
    if unit != "hour":
        assert one.window.start.astimezone(ZoneInfo(zone)).minute == 0
