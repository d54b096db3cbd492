"""The stretch of time that a partition key names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow_mlops.core.windows import Period, Window

if TYPE_CHECKING:
    from airflow_mlops.config.parts.schedule import Schedule

_PERIODS: Mapping[re.Pattern[str], tuple[str, Period]] = {
    re.compile(r"^\d{4}$"): ("-01-01", Period(months=12)),
    re.compile(r"^\d{4}-\d\d$"): ("-01", Period(months=1)),
    re.compile(r"^\d{4}-\d\d-\d\d$"): ("", Period(seconds=86_400)),
    re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d$"): (":00", Period(seconds=3_600)),
}
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$")


@dataclass(frozen=True, slots=True)
class PartitionKeys:
    """How a model's partition keys are read: in which zone, and how long a partition is whose key names only
    the moment it begins (until the cron's next, or ``length``)."""

    zone: str = "UTC"
    cron: str | None = None
    length: Period | None = None

    @classmethod
    def of(cls, schedule: Schedule) -> PartitionKeys:
        """As the YAML says."""
        length = None if schedule.partition_length is None else Period.parse(schedule.partition_length)
        return cls(schedule.timezone, schedule.cron if schedule.partitioned else None, length)

    def window(self, key: str | None) -> Window | None:
        """The year, month, day or hour that a key names, as in ``2026-03``, or the partition that begins at
        its moment. None for a key that says nothing of time (a region), or not where a partition ends.
        """
        if key is None:
            return None
        for pattern, (rest, length) in _PERIODS.items():
            if pattern.match(key):
                start = self._read(key + rest)
                return None if start is None else Window(start, _after(start, length))
        start = self._read(key) if _MOMENT.match(key) else None
        if start is None:
            return None
        if self.cron is not None:
            return Window(start, _next_tick(self.cron, self.zone, start))
        return None if self.length is None else Window(start, _after(start, self.length))

    def is_unclear(self, key: str | None) -> bool:
        """Whether a key names a moment, but nobody says how long its partition is."""
        return key is not None and _MOMENT.match(key) is not None and self.window(key) is None

    def _read(self, text: str) -> datetime | None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.zone))


def _after(start: datetime, length: Period) -> datetime:
    """Days and months by the calendar of the zone, so that a day may have 23 hours; what is shorter by the
    clock."""
    is_exact = not length.months and length.seconds % 86_400
    return length.after(start.astimezone(timezone.utc) if is_exact else start)


def _next_tick(cron: str, zone: str, start: datetime) -> datetime:
    # The same code that made the key, and a DAG with such a cron has loaded it already.
    from airflow.timetables.base import DataInterval, TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable
    from pendulum import instance

    begin = instance(start.astimezone(timezone.utc))
    following = CronDataIntervalTimetable(cron, zone).next_dagrun_info(
        last_automated_data_interval=DataInterval(begin - timedelta(seconds=1), begin),
        restriction=TimeRestriction(None, None, catchup=True),
    )
    if following is None or following.data_interval is None:
        raise AssertionError("a cron has no last interval")
    return following.data_interval.end
