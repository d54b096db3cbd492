"""When the training pipeline runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.assets import Assets, Watch
from airflow_mlops.config.parts.base import CronText, Mistakes, Moment, Params, Part, PeriodText, Shape
from airflow_mlops.config.problems import KeyPath

_CLOCKS = {"cron": "a cron", "every": "'every'", "timetable": "a timetable"}


class NamedTimetable(Part):
    """A timetable that Airflow knows: its own, or one that an Airflow plugin registers."""

    name: Annotated[str, Shape(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")] = Field(
        description="The class's name, or its full path. Nothing is imported that Airflow does not know.",
    )
    params: Params = Field(default_factory=dict, description="Keyword arguments of the class.")


class Schedule(Part):
    """When the training pipeline runs by itself: by the clock (``cron``, ``every`` or ``timetable``), by
    events (``assets``, ``watch``), or by both. Drift and decay may start it as well at level 3.
    """

    cron: CronText | None = Field(
        None, description="A cron line or a preset such as @monthly; each run covers one interval."
    )
    every: PeriodText | None = Field(None, description="A run for each period; each run covers one.")
    timetable: NamedTimetable | None = None
    assets: Assets = Field(
        None,
        description="Assets of other pipelines that start a run: a name, a list (any of them), or a mapping "
        "of any or all.",
    )
    watch: tuple[Watch, ...] = Field(
        (), strict=False, description="What the triggerer watches outside of Airflow."
    )
    partitioned: bool = Field(
        False,
        description="With cron: a partition for each interval. With assets: a run for each partition key.",
    )
    partition_length: PeriodText | None = Field(
        None,
        description="How long a partition of the assets is, where its key names only the moment it begins, "
        "as in 2026-03-01T00:00:00.",
    )
    timezone: str = Field(
        "UTC", description="IANA name of the time zone that the cron and partition keys are read in."
    )
    start: Moment | None = Field(
        None, description="First interval's start; needed with a cron, every or timetable."
    )
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

    @property
    def clocks(self) -> list[str]:
        """Which of cron, every and timetable are given; at most one, once the file is checked."""
        return [name for name in _CLOCKS if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if found := [*self._clock_mistakes(), *self._partition_mistakes(), *self._watch_mistakes()]:
            raise Mistakes(*found)
        return self

    def _clock_mistakes(self) -> Iterator[tuple[KeyPath, str]]:
        first, *more = [*self.clocks, ""]
        for name in filter(None, more):
            yield (name,), f"{_CLOCKS[first]} says when to run already; give one of cron, every, timetable"
        if first and self.start is None:
            yield (first,), f"{_CLOCKS[first]} needs 'start', the moment the first interval begins"
        if self.start is not None and self.end is not None and self.end <= self.start:
            yield ("end",), "'end' must lie after 'start'"
        if self.catchup and not first:
            yield (
                ("catchup",),
                "there is nothing to catch up with: only cron, every and timetable have intervals that can "
                "be missed; give one of them, or leave catchup out",
            )

    def _partition_mistakes(self) -> Iterator[tuple[KeyPath, str]]:
        if self.partition_length is not None and not (self.partitioned and self.assets):
            yield (
                ("partition_length",),
                "is for assets with partitioned: true; a cron's interval has one",
            )
        if not self.partitioned:
            return
        if self.watch:
            yield (
                ("watch",),
                "what a watcher sees has no partition key, and a partitioned DAG runs for keys only; "
                "leave out watch or partitioned",
            )
        if self.cron is not None and self.assets is not None:
            yield (
                ("assets",),
                "Airflow runs partitions by a cron or by assets, not by both; leave out one of them, or "
                "partitioned",
            )
        elif self.cron is None and self.clocks:
            yield (
                ("partitioned",),
                f"does not go with {_CLOCKS[self.clocks[0]]}: only a cron or assets have partitions",
            )
        elif self.cron is None and self.assets is None:
            yield (
                ("partitioned",),
                "needs cron (one partition for each interval) or assets (one run for each partition key)",
            )

    def _watch_mistakes(self) -> Iterator[tuple[KeyPath, str]]:
        seen: set[str] = set()
        for index, watch in enumerate(self.watch):
            if watch.label in seen:
                yield ("watch", index), f"a second watch called {watch.label!r}; give it a 'name' of its own"
            seen.add(watch.label)
