"""Cron lines: whether one can be read, and what it says in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

PRESETS: dict[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_KEY_FORMATS: dict[str, str] = {
    "0 * * * *": "%Y-%m-%dT%H",
    "0 0 * * *": "%Y-%m-%d",
    "0 0 1 * *": "%Y-%m",
    "0 0 1 1 *": "%Y",
}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NUMBER = re.compile(r"[0-9]{1,4}")
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def checked_cron(text: str) -> str:
    """The line, spaces tidied. Raises ``ValueError`` that names the field at fault.

    Plain five-field cron with names, lists, ranges and steps; croniter's extensions (``L``, ``#``,
    seconds, ``@reboot``) are refused, since not every scheduler that reads the DAG would agree on them.
    """
    text = " ".join(text.split())
    if text.startswith("@"):
        if text not in PRESETS:
            raise ValueError(f"{text!r} is not a preset; use one of {', '.join(PRESETS)}, or a cron line")
        return text
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{text!r} has {len(parts)} fields, not 5: minute, hour, day, month, weekday, as in '0 6 * * 1'"
        )
    for part, (name, low, high, words) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _readable(item, low, high, words):
                raise ValueError(f"{item!r} does not fit the {name} ({low} to {high}) in the cron {text!r}")
    if parts[4] == "*" and not _has_a_day(parts[2], parts[3]):
        raise ValueError(f"no month in the cron {text!r} has such a day")
    return text


def partition_key_format(text: str) -> str:
    """How the start of an interval is written as a partition key: no longer than it takes to name it, as in
    ``2026-03`` for a month."""
    return _KEY_FORMATS.get(PRESETS.get(text, text), "%Y-%m-%dT%H:%M")


def cron_in_words(text: str) -> str:
    """``every month on day 1 at 00:00``; a line without simple words is given as it stands."""
    minute, hour, day, month, weekday = PRESETS.get(text, text).lower().split()
    if not minute.isdecimal():
        return f"by the cron `{text}`"
    if hour == day == month == weekday == "*":
        return f"every hour at minute {int(minute)}"
    if not hour.isdecimal():
        return f"by the cron `{text}`"
    at = f"at {int(hour):02}:{int(minute):02}"
    match day, month, weekday:
        case "*", "*", "*":
            return f"every day {at}"
        case "*", "*", one if one.isdecimal():
            return f"every {_WEEKDAYS[int(one)]} {at}"
        case one, "*", "*" if one.isdecimal():
            return f"every month on day {int(one)} {at}"
        case one, "*/3", "*" if one.isdecimal():
            return f"every quarter on day {int(one)} {at}"
        case one, which, "*" if one.isdecimal() and which.isdecimal():
            return f"every year on {_MONTHS[int(which) - 1].capitalize()} {int(one)} {at}"
    return f"by the cron `{text}`"


def _readable(item: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (_NUMBER.fullmatch(step) and 0 < int(step) <= high):
        return False
    if span == "*":
        return True
    ends = [_number(end, low, words) for end in span.split("-")]
    if len(ends) > 2 or any(end is None or not low <= end <= high for end in ends):
        return False
    first, last = ends[0], ends[-1]
    return first is not None and last is not None and first <= last and not (slash and len(ends) == 1)


def _number(text: str, low: int, words: tuple[str, ...]) -> int | None:
    if text in words:
        return words.index(text) + low
    return int(text) if _NUMBER.fullmatch(text) else None


def _has_a_day(days: str, months: str) -> bool:
    """Whether one of the months has one of the days. 29 February comes once in four years."""
    return any(
        first <= (_LONGEST[month - 1])
        for first in _values(days, *_FIELDS[2][1:])
        for month in _values(months, *_FIELDS[3][1:])
    )


def _values(part: str, low: int, high: int, words: tuple[str, ...]) -> Iterator[int]:
    for item in part.split(","):
        span, _, step = item.partition("/")
        ends = [low, high] if span == "*" else [_number(end, low, words) or low for end in span.split("-")]
        yield from range(ends[0], ends[-1] + 1, int(step or 1))
