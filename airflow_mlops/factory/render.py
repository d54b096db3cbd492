"""Plan -> DAG: the only room that makes a DAG or a task group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseOperator, Param, TaskGroup, XComArg

from airflow_mlops.factory.alerts import deadline_of, failure_callbacks
from airflow_mlops.factory.parts import PARTS, Part
from airflow_mlops.factory.schedule import schedule_of
from airflow_mlops.plan.graph import DagPlan, Plan, TaskNode

if TYPE_CHECKING:
    from airflow_mlops.config.models import ModelConfig

_LONGEST_RETRY_DELAY = timedelta(minutes=10)
# Deferred and approval tasks that resume within seconds may be marked failed although nothing went wrong
# (https://github.com/apache/airflow/issues/67287); their steps find their own earlier work again.
_WAITS = frozenset({"approve", "shadow", "canary"})


class _Result:
    """What a task leaves in XCom, for an operator's template field.

    Airflow draws an edge for each ``XComArg``. The plan's edges put every task after what it is handed
    already, and with a second set of them nobody could read the graph.
    """

    def __init__(self, task: BaseOperator) -> None:
        self._xcom = XComArg(task)

    def resolve(self, context: Any) -> Any:
        """Called by Airflow when it renders the field."""
        return self._xcom.resolve(context)

    def __repr__(self) -> str:
        return str(self._xcom)


def render(plan: Plan, model: ModelConfig | Mapping[str, Any], *, only: str | None = None) -> dict[str, DAG]:
    """The DAGs of a plan by their id; ``only`` one of them where a single id is asked for.

    ``model`` is handed to the operators as it is: the configuration, or its JSON. Two calls with equal
    arguments serialise to equal bytes. Nothing is registered with Airflow: a DAG is loaded when the caller
    puts it into a module's globals, so that one which fails half-built is not.
    """
    return {
        dag_plan.dag_id: _render_dag(dag_plan, plan.config_digest, model)
        for dag_plan in plan.dags
        if only is None or dag_plan.dag_id == only
    }


def _render_dag(dag_plan: DagPlan, digest: str, model: ModelConfig | Mapping[str, Any]) -> DAG:
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
        tags=list(dag_plan.tags),
        params=_params(dag_plan),
        deadline=deadline_of(dag_plan),
        default_args={"owner": dag_plan.owner},
        auto_register=False,
    )
    _fill(dag, dag_plan, {"model": model, "config_digest": digest})
    return dag


def _params(dag_plan: DagPlan) -> dict[str, Param]:
    """What may be said by hand: which rows, and why. Nothing that a gate judges by: with a seed that may be
    tried until one passes, a pass would be no evidence."""
    windows = {} if dag_plan.role == "deploy" else _window_params()
    return windows if dag_plan.role == "monitor" else {**windows, "reason": _reason_param()}


def _reason_param() -> Param:
    return Param(
        None,
        type=["null", "string"],
        maxLength=500,
        title="Reason",
        description="Why this run is started by hand; it is kept in the ledger and with the model.",
    )


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


def _fill(dag: DAG, dag_plan: DagPlan, step_arguments: Mapping[str, Any]) -> None:
    groups = {
        name: TaskGroup(name, dag=dag, parent_group=dag.task_group)
        for name in dict.fromkeys(node.group for node in dag_plan.tasks)
        if name is not None
    }
    told = failure_callbacks(dag_plan)
    made: dict[str, BaseOperator] = {}
    for node in dag_plan.tasks:
        part = PARTS[node.step]
        made[node.full_id] = part.load()(
            dag=dag,
            task_id=node.task_id,
            task_group=groups.get(node.group or "", dag.task_group),
            doc_md=node.doc or None,
            outlets=[Asset(node.emits)] if node.emits else None,
            on_failure_callback=told,
            **_patience(node, dag_plan),
            **(step_arguments if part.runs_step else {}),
            **{name: node.settings[name] for name in part.settings},
            **_inputs(part, node, dag_plan, made),
        )
        made[node.full_id].set_upstream([made[name] for name in node.upstream])


def _patience(node: TaskNode, dag_plan: DagPlan) -> dict[str, Any]:
    running, waits = dag_plan.running, node.step in _WAITS
    delay = timedelta(seconds=running.retry_delay_seconds)
    # A stage that waits has a deadline of its own, and would be cut short by this one.
    timeout = None if waits or running.timeout_seconds is None else timedelta(seconds=running.timeout_seconds)
    given = {"execution_timeout": timeout, "pool": running.pool, "queue": running.queue}
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
    part: Part, node: TaskNode, dag_plan: DagPlan, made: Mapping[str, BaseOperator]
) -> dict[str, Any]:
    """Results of other tasks. A step that the plan leaves out gives ``None``."""
    ids = {other.step: other.full_id for other in dag_plan.tasks}
    inputs: dict[str, Any] = {
        name: _Result(made[ids[step]]) if step in ids else None for name, step in part.takes.items()
    }
    if "verdicts" in node.settings:
        inputs["verdicts"] = [_Result(made[name]) for name in node.settings["verdicts"]]
    return {**inputs, **{name: ids[step] for name, step in part.names.items()}}
