"""Timetables of our own: a schedule that ends while runs by hand go on, and a partition for each interval."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import coerce_to_core_timetable, encode_timetable
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import DateTime, instance, parse


class Until(Timetable):
    """Another timetable, none of whose intervals starts after ``end``.

    ``DAG.end_date`` would end the schedule as well, but it also empties every run by hand whose logical date
    lies behind it: Airflow shows such a run green, without a task, and its form fills in today.
    """

    def __init__(self, timetable: Any, *, end: datetime) -> None:
        self.timetable: Timetable = coerce_to_core_timetable(timetable)
        self._end = instance(end)
        self.description = self.timetable.description
        self.periodic = self.timetable.periodic
        self.can_be_scheduled = self.timetable.can_be_scheduled
        self.active_runs_limit = self.timetable.active_runs_limit

    @property
    def summary(self) -> str:
        return self.timetable.summary

    def validate(self) -> None:
        self.timetable.validate()

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        return self.timetable.infer_manual_data_interval(run_after=run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next interval, or none once the schedule has ended."""
        found = self.timetable.next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval,
            restriction=restriction._replace(latest=_earlier(self._end, restriction.latest)),
        )
        # Not every timetable of a plugin looks at what it is told is the latest.
        is_over = found is None or found.data_interval is None or found.data_interval.start > self._end
        return None if is_over else found

    def serialize(self) -> dict[str, Any]:
        return {"timetable": encode_timetable(self.timetable), "end": self._end.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Until:
        return cls(decode_timetable(data["timetable"]), end=_moment(data["end"]))


class CronPartitions(CronPartitionTimetable):
    """A partition for each interval of a cron, run when the interval is over; the key names its start.

    Airflow's own timetable knows the offset, but takes the bounds of a schedule for those of the runs: its
    first partition would lie before ``start``. Airflow 3.2 also writes the keys in UTC, whatever the zone.
    """

    def __init__(self, cron: str, *, timezone: Any, key_format: str, end: datetime | None = None) -> None:
        super().__init__(cron, timezone=timezone, run_offset=-1, key_format=key_format)
        self._end = None if end is None else instance(end)

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next partition that begins between the bounds, or none once the schedule has ended."""
        earliest, latest = restriction.earliest, _earlier(self._end, restriction.latest)
        if earliest is not None:
            earliest = self._get_next(self._align_to_next(earliest))
        found = super().next_dagrun_info_v2(
            last_dagrun_info=last_dagrun_info,
            restriction=restriction._replace(earliest=earliest, latest=None),
        )
        if found is None or found.partition_date is None:
            return found
        return None if latest is not None and found.partition_date > latest else found

    def _format_key(self, partition_date: DateTime) -> str:
        return partition_date.in_timezone(self._timezone).strftime(self._key_format)

    def serialize(self) -> dict[str, Any]:
        return {**super().serialize(), "end": None if self._end is None else self._end.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CronPartitions:
        endless: Any = CronPartitionTimetable.deserialize(data)
        end = None if data["end"] is None else _moment(data["end"])
        return cls(data["expression"], timezone=endless._timezone, key_format=data["key_format"], end=end)


def _earlier(one: DateTime | None, other: DateTime | None) -> DateTime | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)


def _moment(text: str) -> DateTime:
    moment = parse(text)
    if not isinstance(moment, DateTime):
        raise ValueError(f"the end of a schedule is a moment, not {text!r}")
    return moment
