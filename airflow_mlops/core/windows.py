"""Time: half-open windows, calendar periods, and the one rule that gives a run its window."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_PERIOD = re.compile(r"^([0-9]{1,20})\s*(months?|mo|weeks?|w|days?|d|hours?|h|minutes?|min|m|seconds?|s)$")
_LONGEST_SECONDS = 100 * 366 * 86_400
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time as people write it: ``3 months``, ``14 days``, ``36h``.

    Months are calendar months (31 March minus one month is 28 February); all else is exact.
    """

    months: int = 0
    seconds: int = 0

    @classmethod
    @lru_cache(maxsize=256)  # a thousand models say a dozen of them
    def parse(cls, text: str) -> Period:
        """Read one number and one unit. Raises ``ValueError`` that lists the units."""
        match = _PERIOD.match(text.strip().lower())
        if match is None or int(match[1]) == 0:
            raise ValueError(
                f"{text!r} is not a period; write a number and a unit: "
                "months, weeks, days, hours, minutes or seconds, as in '3 months' or '14d'"
            )
        count, unit = int(match[1]), match[2]
        if count * (_SECONDS["d"] * 28 if unit.startswith("mo") else _SECONDS[unit[0]]) > _LONGEST_SECONDS:
            raise ValueError(f"{text!r} is longer than 100 years")
        if unit.startswith("mo"):
            return cls(months=count)
        return cls(seconds=count * _SECONDS[unit[0]])

    def before(self, moment: datetime) -> datetime:
        """The moment one period earlier."""
        return _shift_months(moment, -self.months) - timedelta(seconds=self.seconds)

    def after(self, moment: datetime) -> datetime:
        """The moment one period later."""
        return _shift_months(moment, self.months) + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        if self.months:
            return f"{self.months} month{'s' * (self.months != 1)}"
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            if self.seconds % size == 0:
                count = self.seconds // size
                return f"{count} {unit}{'s' * (count != 1)}"
        raise AssertionError("a second divides every whole number of seconds")


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time ``[start, end)``. Both ends must be aware and are turned into UTC, so
    that no arithmetic on them crosses a change of the clocks.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs time zones on both ends")
        object.__setattr__(self, "start", self.start.astimezone(timezone.utc))
        object.__setattr__(self, "end", self.end.astimezone(timezone.utc))
        if self.start >= self.end:
            raise ValueError(f"an empty window: {self.start.isoformat()} to {self.end.isoformat()}")

    def __str__(self) -> str:
        return f"{_short(self.start)} to {_short(self.end)}"


@dataclass(frozen=True, slots=True)
class WindowSources:
    """What a run may know about its own time, strongest first."""

    partition: Window | None = None
    data_interval: Window | None = None
    params: Window | None = None
    request: Window | None = None
    run_after: datetime | None = None


def resolve_window(sources: WindowSources, length: Period) -> Window:
    """The window of a run: partition key, else data interval, else params, else the pending
    request that woke the run, else the period that ends at ``run_after``.

    ``length`` is used only for the last. Raises ``ValueError`` if nothing is known.
    """
    for window in (
        sources.partition,
        sources.data_interval,
        sources.params,
        sources.request,
    ):
        if window is not None:
            return window
    if sources.run_after is None:
        raise ValueError("the run has no partition, data interval, params, request or run_after")
    end = sources.run_after.astimezone(timezone.utc)
    return Window(length.before(end), end)


def _shift_months(moment: datetime, months: int) -> datetime:
    if months == 0:
        return moment
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _short(moment: datetime) -> str:
    text = moment.astimezone(timezone.utc).isoformat(timespec="minutes")
    return text.removesuffix("+00:00").removesuffix("T00:00")
