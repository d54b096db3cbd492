"""Partitions: the pieces of the calendar that a batch model is scored by, each replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

from airflow_mlops.core.windows import Period, Window

PartitionUnit = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Partition:
    """One hour, day, week or month. Its name sorts by time and is fit to be a folder's:
    ``2026-03-01T05`` (UTC), ``2026-03-01``, ``2026-W09`` (ISO, from Monday), ``2026-03``."""

    name: str
    window: Window


def partition_of(moment: datetime, unit: PartitionUnit, zone: str = "UTC") -> Partition:
    """The partition that a moment lies in, by the calendar of the zone: a day may have 23 hours."""
    local = moment.astimezone(ZoneInfo(zone))
    if unit == "hour":
        within = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        begin = moment.astimezone(timezone.utc) - within
        # An hour of some zones begins at half past in UTC.
        name = f"{begin:%Y-%m-%dT%H}" if begin.minute == 0 else f"{begin:%Y-%m-%dT%H%M}"
        return Partition(name, Window(begin, begin + timedelta(hours=1)))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "day":
        return Partition(f"{midnight:%Y-%m-%d}", Window(midnight, midnight + timedelta(days=1)))
    if unit == "week":
        monday = midnight - timedelta(days=midnight.weekday())
        year, week, _ = monday.isocalendar()
        return Partition(f"{year:04}-W{week:02}", Window(monday, monday + timedelta(days=7)))
    first = midnight.replace(day=1)
    return Partition(f"{first:%Y-%m}", Window(first, Period(months=1).after(first)))


def whole_partitions(window: Window, unit: PartitionUnit, zone: str = "UTC") -> Iterator[Partition]:
    """The partitions that a window is made of, oldest first.

    Raises ``ValueError`` where it cuts through one, with the nearest window that does not: a part of a
    partition would replace the whole.
    """
    first, last = partition_of(window.start, unit, zone), _before(window.end, unit, zone)
    if first.window.start != window.start or last.window.end != window.end:
        raise ValueError(
            f"{window} is not made of whole partitions of one {unit} ({zone}); the nearest window that is: "
            f"{Window(first.window.start, last.window.end)}"
        )
    yield from _between(window, unit, zone)


def latest_partitions(
    moment: datetime, unit: PartitionUnit, zone: str = "UTC", length: Period | None = None
) -> Window:
    """The window of the partitions that were over at a moment: the last one, or all that begin within
    ``length`` before that one's end."""
    last = _before(partition_of(moment, unit, zone).window.start, unit, zone)
    if length is None:
        return last.window
    earliest = length.before(last.window.end)
    begin = partition_of(earliest, unit, zone).window
    start = begin.start if begin.start == earliest else begin.end
    return Window(min(start, last.window.start), last.window.end)


def _before(end: datetime, unit: PartitionUnit, zone: str) -> Partition:
    """The partition of the last moment before ``end``."""
    return partition_of(end - timedelta(microseconds=1), unit, zone)


def _between(window: Window, unit: PartitionUnit, zone: str) -> Iterator[Partition]:
    begin = window.start
    while begin < window.end:
        partition = partition_of(begin, unit, zone)
        yield partition
        begin = partition.window.end
