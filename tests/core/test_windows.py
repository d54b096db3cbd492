"""Periods, windows, and the one rule that gives a run its window."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from airflow_mlops.core.windows import Period, Window, WindowSources, resolve_window

UTC = timezone.utc
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("3 months", Period(months=3)),
        ("1 month", Period(months=1)),
        ("2mo", Period(months=2)),
        ("2 weeks", Period(seconds=14 * 86_400)),
        ("14 days", Period(seconds=14 * 86_400)),
        ("14d", Period(seconds=14 * 86_400)),
        ("36h", Period(seconds=36 * 3_600)),
        ("5 minutes", Period(seconds=300)),
        ("5m", Period(seconds=300)),
        ("5 min", Period(seconds=300)),
        (" 90 Seconds ", Period(seconds=90)),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, period: Period) -> None:
    assert Period.parse(text) == period


@pytest.mark.parametrize("text", ["", "days", "3", "0 days", "-1 day", "1.5 days", "1 year", "1 day 2 hours"])
def test_what_is_no_period_is_refused_and_the_units_are_listed(text: str) -> None:
    with pytest.raises(ValueError, match="months, weeks, days, hours, minutes or seconds"):
        Period.parse(text)


periods = st.one_of(
    st.builds(Period, months=st.integers(1, 120)), st.builds(Period, seconds=st.integers(1, 10**8))
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))


@given(periods)
def test_a_period_reads_back_what_it_prints(period: Period) -> None:
    assert Period.parse(str(period)) == period


@given(period=periods, moment=moments)
def test_before_is_earlier_and_after_is_later(period: Period, moment: datetime) -> None:
    assert period.before(moment) < moment < period.after(moment)


@given(seconds=st.integers(1, 10**8), moment=moments)
def test_an_exact_period_undoes_itself(seconds: int, moment: datetime) -> None:
    period = Period(seconds=seconds)
    assert period.after(period.before(moment)) == moment


@given(months=st.integers(1, 120), moment=moments)
def test_a_month_back_and_forth_loses_at_most_the_days_a_short_month_lacks(
    months: int, moment: datetime
) -> None:
    period = Period(months=months)
    back = period.after(period.before(moment))
    assert timedelta(0) <= moment - back <= timedelta(days=3)
    if moment.day <= 28:
        assert back == moment


@given(period=periods, moment=moments, later=st.integers(0, 10**7))
def test_a_later_moment_stays_later(period: Period, moment: datetime, later: int) -> None:
    other = moment + timedelta(seconds=later)
    if period.months and moment.date() != other.date():
        other = other.replace(hour=23, minute=59, second=59, microsecond=999_999)
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    assert period.before(moment) <= period.before(other)
    assert period.after(moment) <= period.after(other)


@pytest.mark.parametrize(
    ("moment", "months", "earlier"),
    [
        ("2026-03-31", 1, "2026-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2026-01-15", 1, "2025-12-15"),
        ("2026-12-31", 12, "2025-12-31"),
        ("2026-01-01", 13, "2024-12-01"),
    ],
)
def test_months_are_calendar_months(moment: str, months: int, earlier: str) -> None:
    start = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert Period(months=months).before(start) == datetime.fromisoformat(earlier).replace(tzinfo=UTC)


def test_a_window_is_kept_in_utc_whatever_zone_it_came_in() -> None:
    window = Window(datetime(2026, 7, 1, tzinfo=PARIS), datetime(2026, 7, 2, tzinfo=PARIS))
    assert window.start.isoformat() == "2026-06-30T22:00:00+00:00"
    assert window.start.tzinfo is UTC
    assert str(window) == "2026-06-30T22:00 to 2026-07-01T22:00"


def test_a_window_across_the_end_of_summer_time_is_as_long_as_the_clock_says() -> None:
    first = datetime(2026, 10, 25, 2, 45, tzinfo=PARIS)
    second = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=PARIS)
    window = Window(first, second)  # wall clocks run backwards here, time does not
    assert window.end - window.start == timedelta(minutes=30)


def test_a_window_without_a_zone_or_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="time zones"):
        Window(datetime(2026, 1, 1), datetime(2026, 1, 2))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="empty window"):
        Window(moment, moment)


def test_a_window_survives_json() -> None:
    window = Window(datetime(2026, 7, 1, tzinfo=PARIS), datetime(2026, 7, 2, 3, 4, 5, 6, tzinfo=PARIS))
    adapter = TypeAdapter(Window)
    assert adapter.validate_python(adapter.dump_python(window, mode="json")) == window


def day(number: int) -> Window:
    return Window(datetime(2026, 1, number, tzinfo=UTC), datetime(2026, 1, number + 1, tzinfo=UTC))


def test_the_strongest_source_gives_the_window() -> None:
    run_after = datetime(2026, 3, 31, tzinfo=UTC)
    month = Period.parse("1 month")
    known: dict[str, Window] = {}
    for number, name in enumerate(["request", "params", "data_interval", "partition"], start=1):
        known[name] = day(number)
        assert resolve_window(WindowSources(run_after=run_after, **known), month) == day(number)


def test_without_any_other_source_the_period_that_ends_at_run_after_is_taken() -> None:
    run_after = datetime(2026, 3, 31, 2, tzinfo=PARIS)
    window = resolve_window(WindowSources(run_after=run_after), Period.parse("1 month"))
    assert str(window) == "2026-02-28 to 2026-03-31"


def test_a_run_that_knows_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no partition, data interval"):
        resolve_window(WindowSources(), Period.parse("1 day"))


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (Period(months=1), "1 month"),
        (Period(months=3), "3 months"),
        (Period(seconds=86_400), "1 day"),
        (Period(seconds=14 * 86_400), "14 days"),
        (Period(seconds=36 * 3_600), "36 hours"),
        (Period(seconds=90 * 60), "90 minutes"),
        (Period(seconds=61), "61 seconds"),
    ],
)
def test_a_period_prints_in_its_largest_whole_unit(period: Period, text: str) -> None:
    assert str(period) == text


def test_a_window_needs_a_zone_on_both_ends() -> None:
    aware, naive = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2)
    with pytest.raises(ValueError, match="time zones on both ends"):
        Window(aware, naive)
    with pytest.raises(ValueError, match="time zones on both ends"):
        Window(naive, aware)


def test_a_window_of_pendulum_times_as_airflow_gives_them_survives_json() -> None:
    import pendulum  # Airflow hands over its times

    start, end = (pendulum.datetime(2026, 7, day, tz="Europe/Paris") for day in (1, 2))
    window = Window(start, end)
    adapter = TypeAdapter(Window)
    plain = adapter.validate_python(adapter.dump_python(window, mode="json"))
    assert plain == window == Window(datetime(2026, 7, 1, tzinfo=PARIS), datetime(2026, 7, 2, tzinfo=PARIS))
    assert Period.parse("1 month").before(window.end) == datetime(2026, 6, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize("text", ["9999 months", "99999999999999 days", "60000 weeks"])
def test_a_period_that_no_calendar_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than 100 years"):
        Period.parse(text)
