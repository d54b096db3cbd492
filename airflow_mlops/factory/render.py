"""Plan -> DAG: the only room that makes a DAG or a task group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    BaseOperator,
    CronDataIntervalTimetable,
    Param,
    TaskGroup,
)

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.factory.parts import PARTS, Part
from airflow_mlops.plan.graph import DagPlan, Plan, TaskNode, Trigger

_RETRY_DELAY = timedelta(seconds=30)
_LONGEST_RETRY_DELAY = timedelta(minutes=10)
# Deferred and approval tasks that resume within seconds may be marked failed although nothing went wrong
# (https://github.com/apache/airflow/issues/67287); their steps find their own earlier work again.
_WAITS = frozenset({"approve", "shadow", "canary"})


def render(plan: Plan, config: ModelConfig, *, only: str | None = None) -> dict[str, DAG]:
    """The DAGs of a plan by their id; ``only`` one of them where a single id is asked for.

    Two calls with equal arguments serialise to equal bytes. Nothing is registered with Airflow: a DAG is
    loaded when the caller puts it into a module's globals, so that one which fails half-built is not.
    """
    return {
        dag_plan.dag_id: _render_dag(dag_plan, plan, config)
        for dag_plan in plan.dags
        if only is None or dag_plan.dag_id == only
    }


def _render_dag(dag_plan: DagPlan, plan: Plan, config: ModelConfig) -> DAG:
    trigger = dag_plan.trigger
    dag = DAG(
        dag_plan.dag_id,
        description=_first_sentence(dag_plan.doc),
        doc_md=_page(dag_plan, plan, config),
        schedule=_schedule(trigger),
        start_date=trigger.start,
        end_date=trigger.end,
        catchup=trigger.catchup,
        # One at a time: the champion, its traffic and the order of windows have one value per model.
        max_active_runs=1,
        tags=sorted({*dag_plan.tags, config.model, config.owner, f"level {config.level}"}),
        params={} if dag_plan.role == "deploy" else _window_params(),
        default_args={"owner": config.owner},
        auto_register=False,
    )
    _fill(dag, dag_plan, plan, config)
    return dag


def _schedule(trigger: Trigger) -> Any:
    """A bare cron string would give runs a zero-width interval, and a plain list of assets waits for all."""
    assets = AssetAny(*map(Asset, trigger.assets)) if trigger.assets else None
    if trigger.cron is None:
        return assets
    timetable = CronDataIntervalTimetable(trigger.cron, timezone=trigger.timezone)
    return AssetOrTimeSchedule(timetable=timetable, assets=assets) if assets else timetable


def _window_params() -> dict[str, Param]:
    return {
        name: Param(
            None,
            type=["null", "string"],
            format="date-time",
            title=f"Window's {edge}",
            description=f"{told}, for a run by hand. With both empty, the model's YAML decides.",
        )
        for name, edge, told in (
            ("window_start", "start", "First moment of the window"),
            ("window_end", "end", "First moment after the window"),
        )
    }


def _fill(dag: DAG, dag_plan: DagPlan, plan: Plan, config: ModelConfig) -> None:
    groups = {
        name: TaskGroup(name, dag=dag, parent_group=dag.task_group)
        for name in dict.fromkeys(node.group for node in dag_plan.tasks)
        if name is not None
    }
    made: dict[str, BaseOperator] = {}
    for node in _upstream_first(dag_plan.tasks):
        part = PARTS[node.step]
        made[node.full_id] = part.load()(
            dag=dag,
            task_id=node.task_id,
            task_group=groups.get(node.group or "", dag.task_group),
            doc_md=node.doc or None,
            trigger_rule=part.rule,
            outlets=[Asset(node.emits)] if node.emits else None,
            **_patience(node, dag_plan, config),
            **_own(part, node, plan, config),
            **_inputs(part, node, dag_plan, made),
        )
    for node in dag_plan.tasks:
        made[node.full_id].set_upstream([made[name] for name in _full_ids(node.upstream, dag_plan)])


def _patience(node: TaskNode, dag_plan: DagPlan, config: ModelConfig) -> dict[str, Any]:
    return {
        "retries": max(1, config.retries) if node.step in _WAITS else config.retries,
        "retry_delay": _RETRY_DELAY,
        "retry_exponential_backoff": 2,
        "max_retry_delay": _LONGEST_RETRY_DELAY,
        # A backfill brings its own limit of active runs; this keeps ten trainings off one machine.
        "max_active_tis_per_dag": 1 if dag_plan.role == "train" else None,
    }


def _own(part: Part, node: TaskNode, plan: Plan, config: ModelConfig) -> dict[str, Any]:
    settings = {name: node.settings[name] for name in part.settings if name in node.settings}
    return {"model": config, "config_digest": plan.config_digest, **settings} if part.runs_step else settings


def _inputs(
    part: Part, node: TaskNode, dag_plan: DagPlan, made: Mapping[str, BaseOperator]
) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        name: next(iter(_results([step], dag_plan, made)), None) for name, step in part.takes.items()
    }
    if part.gathers:
        inputs["verdicts"] = _results(part.gathers, dag_plan, made)
    if node.step == "conclude":
        inputs["promote_task_id"] = _id_of("promote", dag_plan)
        inputs["roll_back_task_id"] = _id_of("roll_back", dag_plan)
    return inputs


def _results(steps: Iterable[str], dag_plan: DagPlan, made: Mapping[str, BaseOperator]) -> list[Any]:
    return [
        made[node.full_id].output
        for step in steps
        for node in dag_plan.tasks
        if node.step == step and node.full_id in made
    ]


def _id_of(step: str, dag_plan: DagPlan) -> str:
    return next(node.full_id for node in dag_plan.tasks if node.step == step)


def _upstream_first(nodes: Iterable[TaskNode]) -> list[TaskNode]:
    """The nodes so that each comes after those it waits for; else in the order given."""
    waiting, placed = list(nodes), list[TaskNode]()
    while waiting:
        behind = {name for node in waiting for name in (node.task_id, node.full_id)}
        ready = [node for node in waiting if behind.isdisjoint(node.upstream)]
        if not ready:
            raise ValueError(f"tasks wait for one another: {', '.join(node.full_id for node in waiting)}")
        placed += ready
        waiting = [node for node in waiting if node not in ready]
    return placed


def _full_ids(names: Iterable[str], dag_plan: DagPlan) -> list[str]:
    full = {name: node.full_id for node in dag_plan.tasks for name in (node.task_id, node.full_id)}
    return [full[name] for name in names]


def _first_sentence(text: str) -> str | None:
    line = text.strip().partition("\n")[0]
    return line.partition(". ")[0].rstrip(".") or None


def _page(dag_plan: DagPlan, plan: Plan, config: ModelConfig) -> str:
    """Says which configuration the DAG came from: the digest is checked again by each task."""
    rows = {
        "Model": f"`{config.model}`",
        "Owner": config.owner,
        "Level": config.level,
        "Configuration": f"`{plan.config_digest[:12]}`",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    parts = [dag_plan.doc, config.description, f"| | |\n|---|---|\n{table}"]
    return "\n\n".join(part.strip() for part in parts if part.strip())
