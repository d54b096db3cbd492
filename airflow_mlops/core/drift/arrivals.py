"""Do as many rows arrive as usual, and are they fresh? Neither is drift of a feature; both say much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from airflow_mlops.core.windows import Period, Window


@dataclass(frozen=True, slots=True)
class Volume:
    """``usual`` is how many rows a window of this length has; None where nothing is known to compare with.
    ``fault`` says what is wrong with the number, if anything."""

    rows: int
    usual: float | None
    fault: str | None = None

    @property
    def ratio(self) -> float | None:
        """The rows in units of what is usual."""
        return self.rows / self.usual if self.usual else None


@dataclass(frozen=True, slots=True)
class Freshness:
    """``age`` is from the newest row to the window's end; None where no row has a time."""

    newest: datetime | None
    age: timedelta | None
    fault: str | None = None


def volume(
    rows: int,
    window: Window,
    before: Sequence[tuple[int, Window]],
    *,
    minimum_ratio: float,
    maximum_ratio: float,
) -> Volume:
    """A window's rows against those of other windows (their median), all by the second: windows may differ in
    length, as months do."""
    rates = [count / _seconds(other) for count, other in before]
    usual = median(rates) * _seconds(window) if rates else None
    found = Volume(rows, usual)
    ratio = found.ratio
    if ratio is None or minimum_ratio <= ratio <= maximum_ratio:
        return found
    side, bound = ("below", minimum_ratio) if ratio < minimum_ratio else ("above", maximum_ratio)
    said = f"{rows} rows in {window} are {ratio:.3g} of the usual {usual:.0f}, {side} the bound {bound:g}"
    return Volume(rows, usual, said)


def freshness(newest: datetime | None, window: Window, longest: Period | None) -> Freshness:
    """How old the newest row is when the window ends. No limit, no fault."""
    if newest is None:
        return Freshness(None, None)
    found = Freshness(newest, max(window.end - newest, timedelta(0)))
    if longest is None or longest.after(newest) >= window.end:
        return found
    said = f"the newest row is of {newest.isoformat()}, older than {longest} when the window ends"
    return Freshness(found.newest, found.age, said)


def _seconds(window: Window) -> float:
    return (window.end - window.start).total_seconds()
