"""Quartz cron, six or seven fields, said in the five that Airflow reads; or why it cannot be.

The grammar is that of Quartz's CronExpression: seconds first, years last, days of the week from 1 (Sunday)
to 7 (Saturday), ``a/n`` for "from a on", ranges that may go over the end, ``?`` for a day not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_mlops.config.cron import checked_cron

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# What five fields have no sign for.
_SIGNS = {
    "L": "the last day (L)",
    "W": "the nearest weekday (W)",
    "C": "a calendar (C)",
    "#": "the n-th weekday of a month (#)",
}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    shift: int = 0  # from Quartz's numbers to cron's


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 1, 7, _DAYS, shift=-1),
)


@dataclass(frozen=True, slots=True)
class FiveFields:
    """The cron line, and what it says less exactly than Quartz did (or nothing)."""

    cron: str
    note: str = ""


def five_fields(text: str) -> FiveFields:
    """Raises ``ValueError`` with the reason where five fields cannot say it."""
    fields = text.upper().split()
    if len(fields) not in (6, 7):
        raise ValueError(f"{text!r} has {len(fields)} fields; Quartz has 6 or 7, seconds first")
    seconds, *rest = fields[:6]
    if not re.fullmatch(r"[0-5]?[0-9]", seconds):
        raise ValueError(f"cron has no seconds, and {text!r} runs at several of a minute ({seconds})")
    if fields[6:] not in ([], ["*"]):
        raise ValueError(f"cron has no years, and {text!r} names some ({fields[6]})")
    if "?" not in (rest[2], rest[4]) and "*" not in (rest[2], rest[4]):
        raise ValueError(f"{text!r} names days of the month and of the week; Quartz itself takes only one")
    said = [_field(given, field, text) for given, field in zip(rest, _FIELDS, strict=True)]
    note = f"the second {int(seconds)} is left out: cron counts minutes" if int(seconds) else ""
    return FiveFields(checked_cron(" ".join(said)), note)


def _field(given: str, field: _Field, text: str) -> str:
    if given in ("*", "?"):
        return "*"
    return ",".join(_item(item, field, text) for item in given.split(","))


def _item(item: str, field: _Field, text: str) -> str:
    if (sign := _sign(item)) is not None:
        raise ValueError(f"cron has no sign for {_SIGNS[sign]}, which {text!r} asks for")
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        raise ValueError(f"{item!r} is no step in the {field.name} of {text!r}")
    every = int(step) if slash else 1
    if span == "*":
        return f"*/{every}" if slash else "*"
    first, last = _ends(span, slash, field, text)
    if field.shift and (slash or last < first):  # days are few: name each
        return ",".join(str(one + field.shift) for one in _days(first, last, every))
    if last < first:
        if slash:
            raise ValueError(
                f"cron has no steps over the end of the {field.name}, as in {item!r} of {text!r}"
            )
        around = [*range(first, field.high + 1), *range(field.low, last + 1)]
        return ",".join(map(str, around))
    low, high = first + field.shift, last + field.shift
    if slash:
        whole = (first, last) == (field.low, field.high)
        return f"*/{every}" if whole else f"{low}-{high}/{every}"
    return str(low) if low == high else f"{low}-{high}"


def _sign(item: str) -> str | None:
    """Letters of a name are no signs: JUL, WED and DEC hold three of them."""
    left = re.sub("|".join((*_MONTHS, *_DAYS)), "", item)
    return next((sign for sign in _SIGNS if sign in left), None)


def _ends(span: str, slash: str, field: _Field, text: str) -> tuple[int, int]:
    ends = [_number(end, field, text) for end in span.split("-")]
    if len(ends) > 2:
        raise ValueError(f"{span!r} is no range in the {field.name} of {text!r}")
    if len(ends) == 1:
        return ends[0], (field.high if slash else ends[0])
    return ends[0], ends[1]


def _number(end: str, field: _Field, text: str) -> int:
    if end in field.words:
        return field.words.index(end) + field.low
    if end.isdecimal() and end.isascii() and field.low <= int(end) <= field.high:
        return int(end)
    raise ValueError(f"{end!r} does not fit the {field.name} ({field.low} to {field.high}) of {text!r}")


def _days(first: int, last: int, every: int) -> list[int]:
    end = last if last >= first else last + 7
    return sorted((day - 1) % 7 + 1 for day in range(first, end + 1, every))
