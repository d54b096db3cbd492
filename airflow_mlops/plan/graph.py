"""A plain picture of the DAGs of one model: names, order, groups and hand-overs.

Named tuples: every task imports this file before it starts, and a frozen dataclass takes several times as
long to define.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

DagRole = Literal["train", "deploy", "rollback", "score", "monitor"]
StepName = Literal[
    "snapshot", "validate", "contracts", "model_tests", "sample_run", "tune_search", "tune_choose",
    "train", "evaluate", "gate", "review", "register", "announce_challenger",
    "take_challenger", "smoke_serve", "approve", "shadow", "canary", "ab_report", "conclude", "promote",
    "roll_back", "announce_champion", "reverse", "choose_partitions", "score", "announce_predictions",
    "collect", "data_quality", "drift", "performance", "announce_drift", "announce_decay", "decide",
    "request_retraining", "roll_back_decayed", "tell",
]  # fmt: skip


class TaskNode(NamedTuple):
    """One task. ``group`` is the task group it stands in, ``doc`` (Markdown) what the UI says of it.

    ``upstream`` names tasks by ``full_id``. ``settings`` holds small JSON values: ``weight`` of a canary
    step, ``verdicts`` (full ids of the stages whose verdicts conclude and roll_back read), ``notify`` (who is
    told that it asks a person, or that it is held), ``alerts`` (who is told of what is found), ``cause``
    (what is announced). ``emits`` is the asset that the task's outlet updates. With ``workers`` it is so many
    mapped tasks, each of which is told its number, and all of which may run at the same time.
    """

    task_id: str
    step: StepName
    upstream: tuple[str, ...] = ()
    group: str | None = None
    doc: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})
    emits: str | None = None
    workers: int | None = None

    @property
    def full_id(self) -> str:
        """The id Airflow gives it, group included."""
        return f"{self.group}.{self.task_id}" if self.group else self.task_id


AssetTree = str | Mapping[str, Any]
"""A name, ``{"name", "uri"}``, or ``{"any": [...]}`` and ``{"all": [...]}`` of such."""


class Trigger(NamedTuple):
    """What starts a DAG: a clock (``cron``, ``every`` or ``timetable``), assets, both (either is enough), or
    nothing but a person. Plain values only: plans are kept as JSON.

    Each of ``assets`` is enough by itself, and so is each of ``watch``, which holds ``asset`` (the name of
    the asset it updates), ``type`` and that type's settings. With ``partitioned`` there is one run for each
    interval of the cron, or for each partition key of the assets.
    """

    cron: str | None = None
    every: str | None = None
    timetable: Mapping[str, Any] | None = None
    timezone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    catchup: bool = False
    assets: tuple[AssetTree, ...] = ()
    watch: tuple[Mapping[str, Any], ...] = ()
    partitioned: bool = False

    @property
    def has_clock(self) -> bool:
        """Whether it has intervals or moments of its own."""
        return (self.cron, self.every, self.timetable) != (None, None, None)

    @property
    def asset_names(self) -> list[str]:
        """Every asset that is listened to, once, in the order of the file."""
        listened = [name for tree in self.assets for name in asset_names(tree)]
        return list(dict.fromkeys([*listened, *(watch["asset"] for watch in self.watch)]))


def asset_names(tree: AssetTree) -> list[str]:
    """The names in a tree of assets."""
    if isinstance(tree, str):
        return [tree]
    if "name" in tree:
        return [tree["name"]]
    return [name for part in (*tree.get("any", ()), *tree.get("all", ())) for name in asset_names(part)]


class Running(NamedTuple):
    """How Airflow runs each task of a DAG; ``None`` is Airflow's own default. ``by_cause``: only what a
    service or machine was at fault for is tried again."""

    retries: int
    retry_delay_seconds: int = 30
    timeout_seconds: int | None = None
    pool: str | None = None
    pool_slots: int = 1
    priority_weight: int = 1
    queue: str | None = None
    by_cause: bool = False


class DagPlan(NamedTuple):
    """One DAG. ``description`` is its line in Airflow's list, ``doc`` (Markdown) its own page. ``alerts``
    says who is told when a task fails, and when a run is not over ``deadline_seconds`` after it was queued.
    ``notes_failures``: each failure is written into the ledger, and after ``stop_after`` like ones in a row
    automatic runs are held.
    """

    dag_id: str
    role: DagRole
    trigger: Trigger
    tasks: tuple[TaskNode, ...]
    description: str
    doc: str
    owner: str
    tags: tuple[str, ...]
    running: Running
    alerts: tuple[Mapping[str, Any], ...] = ()
    deadline_seconds: int | None = None
    notes_failures: bool = False
    stop_after: int | None = None


class Plan(NamedTuple):
    """All DAGs of one model; ``config_digest`` names the configuration they came from."""

    model: str
    config_digest: str
    dags: tuple[DagPlan, ...]
