"""When the training pipeline runs by itself."""

from __future__ import annotations

from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.base import CronText, Mistakes, Moment, Part


class Schedule(Part):
    """When the training pipeline runs by itself. Assets (drift, decay) may start it as well at level 3."""

    cron: CronText | None = Field(
        None, description="A cron line or a preset such as @monthly; each run covers one interval."
    )
    timezone: str = Field("UTC", description="IANA name of the time zone the cron is read in.")
    start: Moment | None = Field(None, description="First interval's start; needed with a cron.")
    end: Moment | None = Field(None, description="No interval starts after this moment.")
    catchup: bool = Field(False, description="Run the intervals missed while the DAG was paused.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception as error:  # zoneinfo raises four unrelated kinds for a bad name
            raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Paris") from error
        return name

    @model_validator(mode="after")
    def _cron_needs_a_start(self) -> Self:
        if self.cron is not None and self.start is None:
            raise Mistakes((("cron",), "a cron needs 'start', the moment the first interval begins"))
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise Mistakes((("end",), "'end' must lie after 'start'"))
        return self
