"""Quartz cron in five fields: each line runs at the same moments, or is refused with the reason."""

from __future__ import annotations

import re

import pytest

from airflow_mlops.cli.convert.quartz import five_fields


@pytest.mark.parametrize(
    ("quartz", "cron"),
    [
        ("0 0 9 * * ?", "0 9 * * *"),
        ("0 0 9 ? * *", "0 9 * * *"),
        ("0 0 9 * * *", "0 9 * * *"),
        ("0 0/15 * * * ? *", "*/15 * * * *"),
        ("0 5/15 * * * ?", "5-59/15 * * * *"),
        ("0 */20 8-17 ? * MON-FRI", "*/20 8-17 * * 1-5"),
        ("0 0 6 ? * 2", "0 6 * * 1"),  # Quartz counts from Sunday, 1
        ("0 0 6 ? * 1,7", "0 6 * * 0,6"),
        ("0 0 6 ? * fri-mon", "0 6 * * 0,1,5,6"),
        ("0 0 6 ? * 2/2", "0 6 * * 1,3,5"),
        ("0 0 6 1 1/3 ?", "0 6 1 */3 *"),
        ("0 0 6 1 FEB/3 ?", "0 6 1 2-12/3 *"),
        ("0 0 6 1 NOV-FEB ?", "0 6 1 11,12,1,2 *"),
        ("0 30 22-2 * * ?", "30 22,23,0,1,2 * * *"),
        ("0 0 0 15 JUL,DEC ?", "0 0 15 7,12 *"),
    ],
)
def test_a_line_is_said_in_five_fields(quartz: str, cron: str) -> None:
    said = five_fields(quartz)
    assert (said.cron, said.note) == (cron, "")


def test_one_second_of_a_minute_is_left_out_with_a_note() -> None:
    said = five_fields("44 30 9 * * ?")
    assert (said.cron, said.note) == ("30 9 * * *", "the second 44 is left out: cron counts minutes")


@pytest.mark.parametrize(
    ("quartz", "why"),
    [
        ("0 9 * * *", "has 5 fields; Quartz has 6 or 7"),
        ("0/10 * * * * ?", "cron has no seconds"),
        ("* * * * * ?", "cron has no seconds"),
        ("0 0 9 * * ? 2030", "cron has no years"),
        ("0 0 9 L * ?", "the last day (L)"),
        ("0 0 9 LW * ?", "the last day (L)"),
        ("0 0 9 15W * ?", "the nearest weekday (W)"),
        ("0 0 9 ? * 6L", "the last day (L)"),
        ("0 0 9 ? * 2#1", "the n-th weekday of a month (#)"),
        ("0 0 9 ? * 5C", "a calendar (C)"),
        ("0 0 9 15 * MON", "names days of the month and of the week"),
        ("0 0 25 * * ?", "does not fit the hour (0 to 23)"),
        ("0 0 9 ? * 0", "does not fit the day of the week (1 to 7)"),
        ("0 0 22-2/2 * * ?", "no steps over the end of the hour"),
        ("0 0/0 9 * * ?", "no step in the minute"),
        ("0 1-2-3 9 * * ?", "no range in the minute"),
    ],
)
def test_what_five_fields_cannot_say_is_refused_with_the_reason(quartz: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        five_fields(quartz)
