"""A plain picture of the DAGs of one model: names, order, groups and hand-overs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

DagRole = Literal["train", "deploy", "monitor"]
StepName = Literal[
    "snapshot", "validate", "preflight", "train", "evaluate", "gate", "register", "announce_challenger",
    "take_challenger", "smoke_serve", "approve", "shadow", "canary", "conclude", "promote", "roll_back",
    "announce_champion", "collect", "data_quality", "drift", "performance", "decide", "request_retraining",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskNode:
    """One task. ``group`` is the task group it stands in, ``doc`` (Markdown) what the UI says of it.

    ``upstream`` names tasks by ``full_id``. ``settings`` holds small JSON values: ``weight`` of a canary
    step, ``verdicts`` (full ids of the stages whose verdicts conclude and roll_back read). ``emits`` is
    the name of the asset that the task's outlet updates.
    """

    task_id: str
    step: StepName
    upstream: tuple[str, ...] = ()
    group: str | None = None
    doc: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    emits: str | None = None

    @property
    def full_id(self) -> str:
        """The id Airflow gives it, group included."""
        return f"{self.group}.{self.task_id}" if self.group else self.task_id


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a DAG: an interval cron, assets, both (either is enough), or nothing but a person."""

    cron: str | None = None
    timezone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    catchup: bool = False
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DagPlan:
    """One DAG. ``description`` is its line in Airflow's list, ``doc`` (Markdown) its own page."""

    dag_id: str
    role: DagRole
    trigger: Trigger
    tasks: tuple[TaskNode, ...]
    description: str
    doc: str
    owner: str
    tags: tuple[str, ...]
    retries: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All DAGs of one model; ``config_digest`` names the configuration they came from."""

    model: str
    config_digest: str
    dags: tuple[DagPlan, ...]
