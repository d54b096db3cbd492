"""How many rows are usual for a window: those of earlier ones like it, from the last lasting change on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from airflow_mlops.core.faults.rows import FEWEST_STRETCHES, THINNED, is_fat, is_thin
from airflow_mlops.core.windows import Window

_WEEK = timedelta(days=7)
_AS_LONG = 0.9
"""Lengths as alike as those of a February and a March."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows a window has."""

    window: Window
    rows: int

    def in_length_of(self, other: Window) -> int:
        """The rows, had the window the other one's length."""
        return round(self.rows * (_length(other) / _length(self.window)))


@dataclass(frozen=True, slots=True)
class Level:
    """A lasting change, which ``window`` has shown to last: from then on ``after`` rows are usual where
    ``before`` were."""

    window: Window
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"a new level of rows: about {self.after:.0f} in each of {FEWEST_STRETCHES} windows in a row, "
            f"about {self.before:.0f} before them; from now on {self.after:.0f} are usual"
        )


@dataclass(frozen=True, slots=True)
class Usual:
    """``windows`` are those that a window is held against, oldest first, and ``levels`` all lasting changes
    up to it; ``new`` is the one that it makes itself."""

    windows: tuple[Counted, ...]
    levels: tuple[Level, ...] = ()
    new: Level | None = None

    def expects_rows(self, window: Window) -> bool:
        """Whether there should be any in a window. One shorter than a week has to have had some at its time
        of the week, for many an endpoint rests at night and on Sundays."""
        had_some = [one for one in self.windows if one.rows]
        if window.end - window.start >= _WEEK:
            return bool(had_some)
        return any(not (window.start - one.window.start) % _WEEK for one in had_some)


def usual(now: Counted, counted: Iterable[Counted], most: int) -> Usual:
    """What the rows of ``now`` are to be held against: the last ``most`` of the earlier windows like it.

    One that is far thinner or fuller than those before it is left out, for it may be broken. Three of them in
    a row that are like each other are no accident: they make a new level, and what was before counts no more.
    """
    level: list[Counted] = []
    odd: list[Counted] = []
    levels: list[Level] = []
    for one in (*_like(now.window, counted), now):
        known = level[-most:]
        if not _is_odd(one, known):
            level, odd = [*level, one], []
            continue
        odd = [*odd, one][-FEWEST_STRETCHES:]
        if _are_one_level(odd):
            levels.append(_made(one, known, odd))
            level, odd = odd, []
    new = levels[-1] if levels and levels[-1].window == now.window else None
    return Usual(tuple(one for one in level if one is not now)[-most:], tuple(levels), new)


def _like(window: Window, counted: Iterable[Counted]) -> list[Counted]:
    """Earlier windows as long, none of which shares a row with another or with this one: windows that overlap
    say the same twice. Of shorter ones than a week those of the same weekday, if there are enough."""
    length, by_end = _length(window), {one.window.end: one for one in counted}
    as_long = [
        one
        for _, one in sorted(by_end.items())
        if one.window.end <= window.start and _AS_LONG <= _length(one.window) / length <= 1 / _AS_LONG
    ]
    if window.end - window.start < _WEEK:
        same_day = [one for one in as_long if not (window.start - one.window.start) % _WEEK]
        as_long = same_day if len(same_day) >= FEWEST_STRETCHES else as_long
    apart: list[Counted] = []
    start = window.start
    for one in reversed(as_long):
        if one.window.end <= start:
            apart.append(one)
            start = one.window.start
    return apart[::-1]


def _is_odd(one: Counted, known: Sequence[Counted]) -> bool:
    rows = _rows(known, one.window)
    return is_thin(one.rows, rows) or is_fat(one.rows, rows)


def _are_one_level(odd: Sequence[Counted]) -> bool:
    """Enough, alike, and therefore on the same side of what was usual: its sides are further apart. Silence
    is no level, however long it lasts."""
    rows = _rows(odd, odd[-1].window)
    return len(odd) >= FEWEST_STRETCHES and min(rows) >= THINNED * max(rows) > 0


def _made(now: Counted, known: Sequence[Counted], odd: Sequence[Counted]) -> Level:
    before, after = (float(median(_rows(those, now.window))) for those in (known, odd))
    return Level(now.window, before, after)


def _rows(those: Sequence[Counted], window: Window) -> list[int]:
    return [one.in_length_of(window) for one in those]


def _length(window: Window) -> float:
    return (window.end - window.start).total_seconds()
