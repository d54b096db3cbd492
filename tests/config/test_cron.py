"""Cron lines: which are read, and what they say in words."""

from __future__ import annotations

import pytest

from airflow_mlops.config.cron import PRESETS, checked_cron, cron_in_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("@hourly", "every hour at minute 0"),
        ("@daily", "every day at 00:00"),
        ("@weekly", "every Sunday at 00:00"),
        ("@monthly", "every month on day 1 at 00:00"),
        ("@quarterly", "every quarter on day 1 at 00:00"),
        ("@yearly", "every year on Jan 1 at 00:00"),
        ("30 6 * * 1", "every Monday at 06:30"),
        ("30 6 * * MON-FRI", "by the cron `30 6 * * MON-FRI`"),
        ("*/15 * * * *", "by the cron `*/15 * * * *`"),
        ("0 6,18 * * *", "by the cron `0 6,18 * * *`"),
        ("0 0 1 JAN,jul *", "by the cron `0 0 1 JAN,jul *`"),
    ],
)
def test_a_cron_is_read_and_said_in_words(line: str, words: str) -> None:
    assert checked_cron(line) == line
    assert cron_in_words(line) == words


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("@often", "not a preset; use one of @hourly"),
        ("@reboot", "not a preset"),
        ("0 6 * *", "has 4 fields, not 5"),
        ("0 0 6 * * *", "has 6 fields, not 5"),
        ("60 * * * *", "'60' does not fit the minute (0 to 59)"),
        ("0 6 0 * *", "'0' does not fit the day of the month (1 to 31)"),
        ("0 6 * 13 *", "'13' does not fit the month"),
        ("0 6 * * 8", "'8' does not fit the day of the week"),
        ("0 6 * * FUN", "'fun' does not fit the day of the week"),
        ("0 6 L * *", "'l' does not fit the day of the month"),
        ("*/0 * * * *", "'*/0' does not fit the minute"),
        ("5/10 * * * *", "'5/10' does not fit the minute"),
        ("9-5 * * * *", "'9-5' does not fit the minute"),
        ("1,,2 * * * *", "'' does not fit the minute"),
        ("-5 * * * *", "'-5' does not fit the minute"),
        ("²  * * * *", "does not fit the minute"),
    ],
)
def test_a_cron_that_schedulers_disagree_on_is_refused_by_field(line: str, fragment: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_cron(line)
    assert fragment in str(caught.value)


@pytest.mark.parametrize("line", [*PRESETS, "0 6 * * SUN", "1-5/2 0 1 1 7", "  0   6 * * *  "])
def test_what_is_accepted_here_airflow_accepts_too(line: str) -> None:
    import croniter  # Airflow reads cron lines with it

    text = checked_cron(line)
    assert croniter.croniter.is_valid(PRESETS.get(text, text))
