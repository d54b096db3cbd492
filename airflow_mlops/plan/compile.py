"""A model's configuration to the picture of its DAGs. Equal configurations give equal plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.asking import Question
from airflow_mlops.config.parts.assets import AssetCondition, Watch
from airflow_mlops.config.parts.schedule import Schedule
from airflow_mlops.config.parts.score import Score
from airflow_mlops.config.parts.tuning import Tuning
from airflow_mlops.core.causes import FoundCause
from airflow_mlops.core.news import EVENTS
from airflow_mlops.core.windows import Period
from airflow_mlops.plan.docs import dag_description, dag_doc
from airflow_mlops.plan.graph import (
    AssetTree,
    DagPlan,
    DagRole,
    Plan,
    Running,
    StepName,
    TaskNode,
    Trigger,
)
from airflow_mlops.plan.step_docs import step_doc

_HELD: frozenset[DagRole] = frozenset({"train", "score", "monitor"})
"""Whose automatic runs can be held: a rollout must be able to end what was begun."""


def compile_plan(config: ModelConfig, digest: str) -> Plan:
    """The DAGs of one model: train, deploy and rollback; score where the file has that part; monitor from
    level 2 on, or where it is given a cron.

    ``config`` comes from ``load_model``, so its level's presets are filled in.
    """
    parts: list[tuple[DagRole, Trigger, tuple[TaskNode, ...]]] = [
        ("train", _train_trigger(config), _train_tasks(config)),
        ("deploy", _deploy_trigger(config), _deploy_tasks(config)),
        ("rollback", Trigger(timezone=config.schedule.timezone), _rollback_tasks(config)),
    ]
    if config.score is not None:
        parts.append(("score", _score_trigger(config.score), _score_tasks(config, config.score)))
    if config.level >= 2 or config.monitor.cron is not None:
        parts.append(("monitor", _monitor_trigger(config), _monitor_tasks(config)))
    dags = (_dag(config, digest, role, trigger, tasks) for role, trigger, tasks in parts)
    return Plan(config.model, digest, tuple(dags))


def _dag(
    config: ModelConfig, digest: str, role: DagRole, trigger: Trigger, tasks: tuple[TaskNode, ...]
) -> DagPlan:
    return DagPlan(
        dag_id=f"{config.model}.{role}",
        role=role,
        trigger=trigger,
        tasks=_with_tell(config, role, tasks),
        description=dag_description(config, role),
        doc=dag_doc(config, digest, role, trigger),
        owner=config.owner,
        tags=tuple(sorted({"mlops", config.model, config.owner, f"level {config.level}", *config.tags})),
        running=_running(config),
        alerts=tuple(alert.model_dump(mode="json") for alert in config.alerts.on_failure),
        deadline_seconds=_seconds(getattr(config.alerts.deadline, role, None)),
        notes_failures=bool(config.healing.enabled),
        stop_after=config.healing.stop_after if config.healing.enabled and role in _HELD else None,
    )


def _with_tell(config: ModelConfig, role: DagRole, tasks: tuple[TaskNode, ...]) -> tuple[TaskNode, ...]:
    """What is found is told at the end of the run that found it, whatever became of the tasks before."""
    if not config.alerts.routes or not any(event.found_by == role for event in EVENTS.values()):
        return tasks
    followed = {name for task in tasks for name in task.upstream}
    last = tuple(task.full_id for task in tasks if task.full_id not in followed)
    told = config.alerts.model_dump(mode="json", exclude={"on_failure", "deadline"})
    told["routes"] = [
        {**route, "at_least": given.floor}
        for route, given in zip(told["routes"], config.alerts.routes, strict=True)
    ]
    alerts = {**told, "model": config.model, "mlflow_conn_id": config.tracking.conn_id}
    return (*tasks, _task("tell", after=last, alerts=alerts))


def _running(config: ModelConfig) -> Running:
    execution, healing = config.execution, config.healing
    return Running(
        retries=max(execution.retries, healing.retries) if healing.enabled else execution.retries,
        retry_delay_seconds=_seconds(execution.retry_delay) or 0,
        timeout_seconds=_seconds(execution.timeout),
        pool=execution.pool,
        pool_slots=execution.pool_slots,
        priority_weight=execution.priority_weight,
        queue=execution.queue,
        by_cause=bool(healing.enabled),
    )


def _seconds(period: str | None) -> int | None:
    return None if period is None else Period.parse(period).seconds


def _train_trigger(config: ModelConfig) -> Trigger:
    """Retraining is no part of it: monitoring starts those runs itself, with their cause."""
    watch = tuple(_watch(config.model, watch) for watch in config.schedule.watch)
    return _trigger(config.schedule, watch=watch)


def _score_trigger(score: Score) -> Trigger:
    return _trigger(score.schedule)


def _trigger(schedule: Schedule, *, watch: tuple[Mapping[str, Any], ...] = ()) -> Trigger:
    timetable = schedule.timetable
    return Trigger(
        cron=schedule.cron,
        every=schedule.every,
        timetable=None if timetable is None else timetable.model_dump(mode="json"),
        timezone=schedule.timezone,
        start=schedule.start,
        end=schedule.end,
        catchup=schedule.catchup,
        assets=_asset_trees(schedule.assets),
        watch=watch,
        partitioned=schedule.partitioned,
    )


def _asset_trees(condition: AssetCondition | None) -> tuple[AssetTree, ...]:
    """Those of which each is enough by itself."""
    if condition is None:
        return ()
    return tuple(_asset_tree(part) for part in condition.any or (condition,))


def _asset_tree(condition: AssetCondition) -> AssetTree:
    if condition.name is not None:
        return condition.name if condition.uri is None else {"name": condition.name, "uri": condition.uri}
    form, parts = ("any", condition.any) if condition.any is not None else ("all", condition.all or ())
    return {form: [_asset_tree(part) for part in parts]}


def _watch(model: str, watch: Watch) -> dict[str, Any]:
    said = {"asset": f"{model}/{watch.label}", "type": watch.type}
    if watch.type == "files":
        return {**said, "path": watch.path, "poll_seconds": _seconds(watch.poll_interval)}
    return {**said, "params": dict(watch.params)}


def _deploy_trigger(config: ModelConfig) -> Trigger:
    """A partitioned run's events carry its key, and Airflow hands those to partitioned DAGs only."""
    return Trigger(
        timezone=config.schedule.timezone,
        assets=(f"{config.model}/challenger",) if config.deploy.automatic else (),
        partitioned=config.schedule.partitioned and bool(config.deploy.automatic),
    )


def _monitor_trigger(config: ModelConfig) -> Trigger:
    """Windows missed while the DAG was paused are not made up for: nothing can be done about them now."""
    schedule = config.schedule
    return Trigger(
        cron=config.monitor.cron, timezone=schedule.timezone, start=schedule.start, end=schedule.end
    )


def _train_tasks(config: ModelConfig) -> tuple[TaskNode, ...]:
    tasks = [_task("snapshot"), _task("validate", after=("snapshot",)), *_preflight_tasks(config)]
    gates = config.gates
    review = []
    if "ask" in (gates.on_inconclusive, gates.on_fail):
        review = [_task("review", after=("gate",), **_notify(gates.review))]
    ready = tuple(task.full_id for task in tasks[1:])
    search = () if config.tuning is None else _tuning_tasks(config.tuning, ready)
    return (
        *tasks,
        *search,
        _task("train", after=(search[-1].full_id,) if search else ready),
        _task("evaluate", after=("train",)),
        _task("gate", after=("evaluate",)),
        *review,
        _task("register", after=("review",) if review else ("gate",)),
        _task(
            "announce_challenger",
            after=("register",),
            emits=f"{config.model}/challenger",
            partitioned=config.schedule.partitioned,
        ),
    )


def _preflight_tasks(config: ModelConfig) -> tuple[TaskNode, ...]:
    """Beside each other and beside the validation: whichever fails first ends the wait."""
    if not config.preflight.enabled:
        return ()
    steps: list[StepName] = ["contracts", "sample_run"]
    if config.preflight.tests:
        steps.insert(0, "model_tests")
    return tuple(_task(step, group="preflight", after=("snapshot",)) for step in steps)


def _tuning_tasks(tuning: Tuning, after: tuple[str, ...]) -> tuple[TaskNode, ...]:
    search = _task("tune_search", "search", group="tune", after=after, workers=tuning.parallel)
    return search, _task("tune_choose", "choose", group="tune", after=(search.full_id,))


def _deploy_tasks(config: ModelConfig) -> tuple[TaskNode, ...]:
    stages = [_task("take_challenger"), _task("smoke_serve", after=("take_challenger",))]
    if config.deploy.approval:
        stages.append(_task("approve", after=("smoke_serve",), **_notify(config.deploy.approval)))
    if config.deploy.shadows:
        stages.append(_task("shadow", after=(stages[-1].full_id,), **_held(config)))
    for weight in config.deploy.weights:
        name = f"weight_{100 * weight:g}".replace(".", "_")
        group = config.deploy.strategy
        after = (stages[-1].full_id,)
        stages.append(_task("canary", name, group=group, after=after, weight=weight, **_held(config)))
    verdicts = [stage.full_id for stage in stages[1:]]
    last, reports = stages[-1].full_id, []
    if config.deploy.strategy == "ab":
        (weight,) = config.deploy.weights
        reports.append(_task("ab_report", "report", group="ab", after=(last,), weight=weight))
    return (
        *stages,
        *reports,
        _task("conclude", after=(last, *(report.full_id for report in reports)), verdicts=verdicts),
        _task("promote", after=("conclude",)),
        _task("roll_back", after=("conclude",), verdicts=verdicts),
        _task("announce_champion", after=("promote",), emits=f"{config.model}/champion"),
    )


def _rollback_tasks(config: ModelConfig) -> tuple[TaskNode, ...]:
    """A DAG of its own: a run of deploy that waits in a stage for a day does not hold it up."""
    return (_task("reverse", emits=f"{config.model}/champion"),)


def _score_tasks(config: ModelConfig, score: Score) -> tuple[TaskNode, ...]:
    """A backfill's partitions are announced like any other: whoever reads them has to read them anew."""
    return (
        _task("choose_partitions"),
        _task("score", after=("choose_partitions",)),
        _task(
            "announce_predictions",
            after=("score",),
            emits=f"{config.model}/predictions",
            partitioned=score.schedule.partitioned,
            backfills=True,
        ),
    )


def _monitor_tasks(config: ModelConfig) -> tuple[TaskNode, ...]:
    checks = [_task("data_quality", after=("collect",)), _task("drift", after=("collect",))]
    found = [_announcement(config, "drift", "drift")]
    if config.monitor.performance is not None:
        checks.append(_task("performance", after=("collect",)))
        found.append(_announcement(config, "performance", "decay"))
    decide = _task("decide", after=tuple(task.full_id for task in checks))
    tasks = (_task("collect"), *checks, *found, decide, *_way_back(config))
    if not config.retraining.enabled:
        return tasks
    request = _task(
        "request_retraining",
        after=("decide",),
        emits=f"{config.model}/retrain",
        train_dag_id=f"{config.model}.train",
    )
    return (*tasks, request)


def _way_back(config: ModelConfig) -> tuple[TaskNode, ...]:
    if not (config.healing.enabled and config.healing.roll_back):
        return ()
    return (_task("roll_back_decayed", after=("decide",), emits=f"{config.model}/champion"),)


def _announcement(config: ModelConfig, check: StepName, cause: FoundCause) -> TaskNode:
    """Beside the decision to retrain: who else listens is not a matter of that policy."""
    step: StepName = "announce_drift" if cause == "drift" else "announce_decay"
    return _task(step, after=("data_quality", check), emits=f"{config.model}/{cause}", cause=cause)


def _held(config: ModelConfig) -> dict[str, Any]:
    """Who is told that a stage is held beyond its deadline."""
    told = config.alerts.on_failure if config.deploy.on_inconclusive == "hold" else ()
    return {"notify": [alert.model_dump(mode="json") for alert in told]} if told else {}


def _notify(question: Question) -> dict[str, Any]:
    return {"notify": [alert.model_dump(mode="json") for alert in question.notify]} if question.notify else {}


def _task(
    step: StepName,
    task_id: str | None = None,
    *,
    group: str | None = None,
    after: tuple[str, ...] = (),
    emits: str | None = None,
    workers: int | None = None,
    **settings: Any,
) -> TaskNode:
    return TaskNode(
        task_id=task_id or step,
        step=step,
        upstream=after,
        group=group,
        doc=step_doc(step, settings.get("weight")),
        settings=settings,
        emits=emits,
        workers=workers,
    )
