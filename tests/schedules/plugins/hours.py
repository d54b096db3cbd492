"""A timetable as a user's own Airflow plugin would bring it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.interval import DeltaDataIntervalTimetable


class LastHours(DeltaDataIntervalTimetable):
    """Intervals of so many hours."""

    def __init__(self, hours: float) -> None:
        super().__init__(timedelta(hours=hours))

    def serialize(self) -> dict[str, Any]:
        return {"hours": self._delta.total_seconds() / 3600}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> LastHours:
        return cls(data["hours"])


class Hours(AirflowPlugin):
    name = "hours"
    timetables: ClassVar[list[Any]] = [LastHours]
