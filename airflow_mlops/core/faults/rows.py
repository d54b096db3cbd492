"""Faults of the rows as such: missing, doubled, old, late, in another order or in another time zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.summary import FEWEST_ROWS, Reference, RowHashes, TableSummary

THINNED = 0.6
"""Rows, as a part of the fewest in any stretch before: half of the usual is less than that."""
FEWEST_STRETCHES = 3
REPEATED = 0.1
STALE = 0.8
MIXED_UP = 0.05
LATE = 0.15
SHIFTED = 0.25
FITS = 0.1
_HOUR, _DAY = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class RowNames:
    """What the YAML calls the columns that name a row and say its time."""

    key: str
    time: str


def row_faults(
    names: RowNames, reference: Reference, window: TableSummary, *, by_hour: bool
) -> Iterator[Fault]:
    """Of what the rows themselves tell; for those that lie in a known stretch see ``volume_fault`` and
    ``late_fault``."""
    if window.rows < FEWEST_ROWS:
        return
    yield from _repeated(names, reference, window)
    yield from _stale(names, reference, window)
    yield from _out_of_order(names, reference, window)
    if by_hour:
        yield from _time_zone(names, reference, window)


def volume_fault(names: RowNames, rows: int, usual: Sequence[int]) -> Fault | None:
    """``usual`` are the rows of earlier stretches of the same length."""
    if not is_thin(rows, usual):
        return None
    said = f"{rows} rows, at least {min(usual)} in each of {len(usual)} earlier stretches as long"
    return Fault((names.time,), "volume", said)


def is_thin(rows: int, usual: Sequence[int]) -> bool:
    """Far below all that is usual. Too few or too small stretches say nothing."""
    return _is_known(usual) and rows < THINNED * min(usual)


def is_fat(rows: int, usual: Sequence[int]) -> bool:
    """As far above it."""
    return _is_known(usual) and THINNED * rows > max(usual)


def _is_known(usual: Sequence[int]) -> bool:
    return len(usual) >= FEWEST_STRETCHES and min(usual) >= FEWEST_ROWS


def late_fault(
    names: RowNames, reference: Reference, window: TableSummary, end: float, length: float
) -> Fault | None:
    """No row is newer than a good part of the window, which ends at ``end`` and has ``length`` seconds.

    Where rows land once a day, a run by hand at any hour finds the newest one where the last batch ended. So
    a newest row that is at the same place in the day as the reference's (or an hour beside it, which is what
    clocks are set by) is held against the last such place before the end; any other against the end itself.
    """
    known, gap = reference.whole.last, reference.whole.longest_gap
    if window.rows < FEWEST_ROWS or window.last is None:
        return None
    if known is not None and _apart_in_a_day(window.last, known) <= _HOUR + gap:
        end -= (end - known) % _DAY
    missing = end - window.last
    if missing < LATE * length or missing < 4 * gap:
        return None
    said = f"the newest row is {missing / _HOUR:.3g} hours older than it should be at the window's end"
    return Fault((names.time,), "late", said)


def _apart_in_a_day(one: float, other: float) -> float:
    apart = (one - other) % _DAY
    return min(apart, _DAY - apart)


def _repeated(names: RowNames, reference: Reference, window: TableSummary) -> Iterator[Fault]:
    share = window.repeated / window.rows
    before = max(table.repeated / max(table.rows, 1) for table in (reference.whole, *reference.blocks))
    if share >= REPEATED + before and share >= 3 * before:
        said = f"{window.repeated} of {window.rows} rows are there more than once, equal in all columns"
        yield Fault((names.key,), "duplicated", said)


def _stale(names: RowNames, reference: Reference, window: TableSummary) -> Iterator[Fault]:
    """Nearly all rows were in the reference, and rows do not come again by themselves there."""
    known = reference.whole.hashes
    if window.hashes is None or known is None:
        return
    again = _share_known(window.hashes, known, own=False)
    usual = max(
        (_share_known(block.hashes, known, own=True) or 0.0 for block in reference.blocks if block.hashes),
        default=_share_doubled(known),
    )
    if again is not None and again >= max(STALE, usual + 0.4):
        said = (
            f"{100 * again:.3g} % of the rows are known already by their features, {100 * usual:.3g} % before"
        )
        yield Fault((names.time,), "stale", said)


def _share_known(ours: RowHashes, known: RowHashes, *, own: bool) -> float | None:
    """Of the sampled different rows, how many the other table has; ``own`` ones are part of it themselves,
    and count where they are there once more."""
    below = min(ours.below, known.below)
    sampled = {name: count for name, count in ours.counts.items() if name <= below}
    if len(sampled) < FEWEST_ROWS // 3:
        return None
    again = sum(known.counts.get(name, 0) > (count if own else 0) for name, count in sampled.items())
    return again / len(sampled)


def _share_doubled(known: RowHashes) -> float:
    rows = sum(known.counts.values())
    return 1 - len(known.counts) / rows if rows else 0.0


def _out_of_order(names: RowNames, reference: Reference, window: TableSummary) -> Iterator[Fault]:
    share = window.backwards / window.rows
    before = max(table.backwards / max(table.rows, 1) for table in (reference.whole, *reference.blocks))
    if share >= MIXED_UP + 3 * before:
        said = f"{window.backwards} of {window.rows} rows are older than the one before them"
        yield Fault((names.time,), "out_of_order", said)


def _time_zone(names: RowNames, reference: Reference, window: TableSummary) -> Iterator[Fault]:
    """The day's course is another stretch's by two hours or more; one hour is what clocks are set by."""
    stretches = [
        _profile(table.hours)
        for table in (reference.whole, *reference.blocks)
        if sum(table.hours) >= FEWEST_ROWS
    ]
    ours = _profile(window.hours)
    if not ours or not stretches or sum(share > 0.01 for share in stretches[0]) < 4:
        return
    unmoved = min(_differing(_turned(ours, hours), one) for one in stretches for hours in (-1, 0, 1))
    moved = [
        (min(_differing(_turned(ours, -hours), one) for one in stretches), hours) for hours in range(2, 23)
    ]
    best, hours = min(moved)
    if unmoved >= SHIFTED and best <= FITS + _chance(window.rows) and best < unmoved / 2:
        said = f"the hours of the day are shifted by {hours if hours <= 12 else hours - 24:+d}"
        yield Fault((names.time,), "time_zone", said)


def _profile(hours: Sequence[int]) -> tuple[float, ...]:
    rows = sum(hours)
    return tuple(count / rows for count in hours) if rows else ()


def _turned(profile: Sequence[float], hours: int) -> tuple[float, ...]:
    """The profile of the same rows so many hours later."""
    return tuple(profile[(hour - hours) % 24] for hour in range(24))


def _differing(one: Sequence[float], other: Sequence[float]) -> float:
    """Total variation: the share of rows that are at another hour."""
    return sum(abs(left - right) for left, right in zip(one, other, strict=True)) / 2


def _chance(rows: int) -> float:
    """How much two profiles of one day differ by chance: half the sum of 24 mean deviations at most."""
    return float((24 / rows) ** 0.5)
