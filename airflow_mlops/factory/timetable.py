"""A cron of intervals that ends, while runs by hand go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime, instance, parse


class CronIntervalsUntil(CronDataIntervalTimetable):
    """Intervals of a cron, none of which starts after ``end``.

    ``DAG.end_date`` would end the schedule as well, but it also empties every run by hand whose logical date
    lies behind it: Airflow shows such a run green, without a task, and its form fills in today.
    """

    def __init__(self, cron: str, *, timezone: Any, end: datetime) -> None:
        super().__init__(cron, timezone=timezone)
        self._end = instance(end)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next interval, or none once the schedule has ended."""
        latest = self._end if restriction.latest is None else min(self._end, restriction.latest)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval,
            restriction=restriction._replace(latest=latest),
        )

    def serialize(self) -> dict[str, Any]:
        return {**super().serialize(), "end": self._end.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CronIntervalsUntil:
        endless = CronDataIntervalTimetable.deserialize(data)
        end = parse(data["end"])
        if not isinstance(end, DateTime) or not isinstance(endless, CronDataIntervalTimetable):
            raise ValueError(f"the end of a schedule is a moment, not {data['end']!r}")
        return cls(data["expression"], timezone=endless._timezone, end=end)
