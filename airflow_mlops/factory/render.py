"""Plan -> DAG: the only room that makes a DAG or a task group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from sys import intern
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseOperator, Param, TaskGroup, XComArg
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.param import ParamsDict

from airflow_mlops.factory.alerts import (
    asking_notifiers,
    deadline_of,
    failure_callbacks,
    findings_notifier,
    held_notifiers,
    success_callbacks,
)
from airflow_mlops.factory.parts import PARTS, Part
from airflow_mlops.factory.retrying import by_cause
from airflow_mlops.factory.schedule import schedule_of
from airflow_mlops.factory.tasks import Tasks
from airflow_mlops.plan.graph import DagPlan, Plan, StepName, TaskNode

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from airflow_mlops.config.models import ModelConfig

_LONGEST_RETRY_DELAY = timedelta(minutes=10)
# Deferred and approval tasks that resume within seconds may be marked failed although nothing went wrong
# (https://github.com/apache/airflow/issues/67287); their steps find their own earlier work again.
_WAITS = frozenset({"smoke_serve", "approve", "review", "shadow", "canary", "reverse", "roll_back_decayed"})


class _Result:
    """What a task leaves in XCom, for an operator's template field.

    Airflow draws an edge for each ``XComArg``. The plan's edges put every task after what it is handed
    already, and with a second set of them nobody could read the graph.
    """

    __slots__ = ("_task",)

    def __init__(self, task: BaseOperator | MappedOperator) -> None:
        self._task = task

    def resolve(self, context: Any) -> Any:
        """Called by Airflow when it renders the field."""
        return XComArg(self._task).resolve(context)

    def __repr__(self) -> str:
        return str(XComArg(self._task))


def render(
    plan: Plan,
    model: ModelConfig | Mapping[str, Any],
    *,
    only: str | None = None,
    tasks: Tasks | None = None,
) -> dict[str, DAG]:
    """The DAGs of a plan by their id; ``only`` one of them where a single id is asked for. Who renders many
    plans hands each the same ``tasks``.

    ``model`` is handed to the operators as it is: the configuration, or its JSON. Two calls with equal
    arguments serialise to equal bytes. Nothing is registered with Airflow: a DAG is loaded when the caller
    puts it into a module's globals, so that one which fails half-built is not.
    """
    tasks, defaults = tasks or Tasks(), _airflows_defaults()
    return {
        dag_plan.dag_id: _render_dag(dag_plan, plan.config_digest, model, defaults, tasks)
        for dag_plan in plan.dags
        if only is None or dag_plan.dag_id == only
    }


@cache
def _airflows_defaults() -> dict[str, Any]:
    """What a DAG looks up in Airflow's configuration by itself, each time; here it is once for a process."""
    return {
        "max_active_tasks": conf.getint("core", "max_active_tasks_per_dag"),
        "max_consecutive_failed_dag_runs": conf.getint("core", "max_consecutive_failed_dag_runs_per_dag"),
        "disable_bundle_versioning": conf.getboolean("dag_processor", "disable_bundle_versioning"),
    }


def _render_dag(
    dag_plan: DagPlan,
    digest: str,
    model: ModelConfig | Mapping[str, Any],
    defaults: Mapping[str, Any],
    tasks: Tasks,
) -> DAG:
    trigger = dag_plan.trigger
    dag = DAG(
        dag_plan.dag_id,
        description=dag_plan.description,
        doc_md=dag_plan.doc,
        schedule=schedule_of(trigger),
        start_date=trigger.start,
        catchup=trigger.catchup,
        # One at a time: the champion, its traffic and the order of windows have one value per model.
        max_active_runs=1,
        # A run of a DAG that is paused waits for ever, and a rollback is for the worst moment to learn that.
        is_paused_upon_creation=False if dag_plan.role == "rollback" else None,
        tags=list(dag_plan.tags),
        deadline=deadline_of(dag_plan),
        auto_register=False,
        **defaults,
    )
    _fill(dag, dag_plan, {"model": model, "config_digest": digest}, tasks)
    _give_params(dag, _params(dag_plan))
    return dag


def _params(dag_plan: DagPlan) -> dict[str, Param]:
    """What may be said by hand: which rows, and why. Nothing that a gate judges by: with a seed that may be
    tried until one passes, a pass would be no evidence."""
    if dag_plan.role == "rollback":
        return _rollback_params()
    windows = {} if dag_plan.role == "deploy" else _window_params()
    return windows if dag_plan.role == "monitor" else {**windows, "reason": _reason_param()}


def _give_params(dag: DAG, params: Mapping[str, Param]) -> None:
    """Params of the DAG, once its tasks are made and past the setter.

    Every task would carry a deep copy of what its DAG has then, although Airflow puts the DAG's params
    before a task when it runs; and the setter holds each default against its schema, by jsonschema and in
    every parse. Ours are as they are, so a test holds them instead. The two took half of a parse.
    """
    object.__setattr__(dag, "params", ParamsDict(params))


def _reason_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        maxLength=500,
        title="Reason",
        description="Why this run is started by hand; it is kept in the ledger and with the model.",
    )


def _rollback_params() -> dict[str, Param]:
    """No run without a reason: its default is none that it may have, so that Airflow asks for one."""
    return {
        "version": Param(
            None,
            type=["null", "string"],
            pattern=r"^\d{1,18}$",
            title="Version",
            description="Which earlier champion is put back. If empty: the one before the present champion.",
        ),
        "reason": Param(
            None,
            type="string",
            minLength=1,
            maxLength=500,
            title="Reason",
            description="Why; it is kept in the ledger and on the model cards, with your name.",
        ),
    }


def _window_params() -> dict[str, Param]:
    return {
        name: Param(
            None,
            type=["null", "string"],
            format="date-time",  # for the form's calendar; jsonschema checks it only with more installed
            pattern=r"^\d{4}-\d\d-\d\d([T ].*)?$",
            title=f"Window's {edge}",
            description=f"{told}, for a run by hand. With both empty, the model's YAML decides.",
        )
        for name, edge, told in (
            ("window_start", "start", "First moment of the window"),
            ("window_end", "end", "First moment after the window"),
        )
    }


def _fill(dag: DAG, dag_plan: DagPlan, step_arguments: Mapping[str, Any], tasks: Tasks) -> None:
    groups = {
        name: TaskGroup(name, dag=dag, parent_group=dag.task_group)
        for name in dict.fromkeys(node.group for node in dag_plan.tasks)
        if name is not None
    }
    model = dag.dag_id.rpartition(".")[0]
    told, past_it = failure_callbacks(dag_plan, model), success_callbacks(dag_plan, model)
    noted = len(past_it or ())
    ids = {node.step: node.full_id for node in dag_plan.tasks}
    patience = {waits: _patience(waits, dag_plan) for waits in (True, False)}
    made: dict[str, BaseOperator | MappedOperator] = {}
    for node in dag_plan.tasks:
        part = PARTS[node.step]
        arguments = {
            "owner": dag_plan.owner,
            "doc_md": intern(node.doc) or None,  # the same text in every model
            "outlets": [Asset(node.emits)] if node.emits else None,
            # A receiver that is away is no reason to hold the model's runs.
            "on_failure_callback": told[noted:] if told and node.step == "tell" else told,
            "on_success_callback": None if node.step == "tell" else past_it,
            **patience[node.step in _WAITS],
            **(step_arguments if part.runs_step else {}),
            **{name: node.settings[name] for name in part.settings},
            **_told(part, node, dag_plan.owner),
            **{name: ids[step] for name, step in part.names.items()},
        }
        inputs = _inputs(part, node, ids, made)
        group = groups.get(node.group or "", dag.task_group)
        task: BaseOperator | MappedOperator
        if node.workers is None:
            task = tasks.add(part.load(), dag, group, {"task_id": node.full_id, **arguments}, inputs)
        else:
            task = _mapped(part, node, dag, group, {**arguments, **inputs})
        made[node.full_id] = task
        _run_after(task, [made[name] for name in node.upstream])


def _mapped(
    part: Part, node: TaskNode, dag: DAG, group: TaskGroup, arguments: Mapping[str, Any]
) -> MappedOperator:
    from airflow_mlops.factory.mapped import ToldModel, mapped

    told = {
        **arguments,
        "task_id": node.task_id,
        "task_group": group,
        "model": ToldModel(arguments["model"], arguments["config_digest"]),
        "max_active_tis_per_dag": node.workers,  # else the tasks of one run would wait for each other
    }
    return mapped(part.load(), dag, node.workers or 1, told)


def _told(part: Part, node: TaskNode, owner: str) -> dict[str, Any]:
    """Who is told that a task asks a person, that a stage is held, or what was found."""
    if "alerts" in node.settings:
        return {"notifier": findings_notifier(node.settings["alerts"], owner)}
    if not node.settings.get("notify"):
        return {}
    if not part.asks:
        return {"notifiers": held_notifiers(node.settings["notify"], owner)}
    at = (*part.asks.split("."), "notify")
    return {"notifiers": asking_notifiers(node.settings["notify"], owner, at)}


def _run_after(
    task: BaseOperator | MappedOperator, upstream: Iterable[BaseOperator | MappedOperator]
) -> None:
    """What ``task.set_upstream(upstream)`` comes to for plain tasks of one DAG. That method also hashes the
    DAG for each edge, its schedule and assets included, which took a sixth of a parse."""
    for other in upstream:
        task.upstream_task_ids.add(other.task_id)
        other.downstream_task_ids.add(task.task_id)


def _patience(waits: bool, dag_plan: DagPlan) -> dict[str, Any]:
    running = dag_plan.running
    delay = timedelta(seconds=running.retry_delay_seconds)
    # A stage that waits has a deadline of its own, and would be cut short by this one.
    timeout = None if waits or running.timeout_seconds is None else timedelta(seconds=running.timeout_seconds)
    given = {
        "execution_timeout": timeout,
        "pool": running.pool,
        "queue": running.queue,
        "retry_policy": by_cause() if running.by_cause else None,
    }
    return {
        "retries": max(1, running.retries) if waits else running.retries,
        "retry_delay": delay,
        "retry_exponential_backoff": 2,
        "max_retry_delay": max(_LONGEST_RETRY_DELAY, delay),
        "pool_slots": running.pool_slots,
        "priority_weight": running.priority_weight,
        # A backfill brings its own limit of active runs; this keeps ten trainings off one machine.
        "max_active_tis_per_dag": 1 if dag_plan.role == "train" else None,
        **{name: value for name, value in given.items() if value is not None},
    }


def _inputs(
    part: Part, node: TaskNode, ids: Mapping[StepName, str], made: Mapping[str, BaseOperator | MappedOperator]
) -> dict[str, Any]:
    """Results of other tasks. A step that the plan leaves out gives ``None``."""
    inputs: dict[str, Any] = {
        name: _Result(made[ids[step]]) if step in ids else None for name, step in part.takes.items()
    }
    if "verdicts" in node.settings:
        inputs["verdicts"] = [_Result(made[name]) for name in node.settings["verdicts"]]
    return inputs
