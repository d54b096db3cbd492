"""Run a DAG here and now, task by task, and read back what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """``tasks`` maps each task id to its final state (``success``, ``skipped``, ``failed``,
    ``upstream_failed``), ``results`` to what it returned, ``events`` the assets it announced to their extra,
    ``started`` the DAGs of which it started a run to that.
    """

    run_id: str
    state: str
    tasks: Mapping[str, str]
    results: Mapping[str, Any]
    events: Mapping[str, Mapping[str, Any]]
    started: Mapping[str, StartedRun]


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that another one started: with which conf, with which note, and from when on it may run."""

    run_id: str
    conf: Mapping[str, Any]
    note: str
    run_after: datetime


def run_dag(
    dag: DAG,
    *,
    home: Path,
    conf: Mapping[str, Any] | None = None,
    logical_date: datetime | None = None,
    retries: int = 0,
) -> FinishedRun:
    """Run all tasks of ``dag`` in this process by Airflow's own ``dag.test()``.

    ``conf`` fills the run's params. Without a ``logical_date`` the run is one by hand and has no data
    interval; with one it covers the interval that ends there. ``retries`` replaces those of every task:
    a test that waits for a retry delay is a slow test. ``home`` is that of ``mlops_airflow_home``.
    A task that asks a person waits until somebody answers, which in a test is for ever. A DAG that a task
    starts gets a run, which does not run here.
    """
    for task in dag.tasks:
        task.retries = retries
    _bag(dag, home / "dags")
    run = dag.test(run_conf=dict(conf or {}), logical_date=logical_date)
    return _read(dag.dag_id, run.run_id)


def _bag(dag: DAG, bundle: Path) -> None:
    """Put the DAG into the database as the DAG processor would: ``dag.test()`` needs its version there."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]  # Airflow left it bare
    bag = DagBag(dag_folder=bundle, bundle_path=bundle, bundle_name="dags-folder", collect_dags=False)
    bag.bag_dag(dag)
    for dag_id in sorted(_started_by(dag)):
        bag.bag_dag(_stand_in(dag_id, dag))
    sync_bag_to_db(bag, "dags-folder", None)


def _started_by(dag: DAG) -> set[str]:
    return {str(task.trigger_dag_id) for task in dag.tasks if hasattr(task, "trigger_dag_id")} - {dag.dag_id}


def _stand_in(dag_id: str, beside: DAG) -> DAG:
    """A DAG of that name, since Airflow makes runs of those that it knows."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    dag = DAG(dag_id, schedule=None, auto_register=False)
    dag.fileloc, dag.relative_fileloc = beside.fileloc, beside.relative_fileloc
    EmptyOperator(task_id="stands_in", dag=dag)
    return dag


def _read(dag_id: str, run_id: str) -> FinishedRun:
    from airflow.models.asset import AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        run = session.scalars(select(DagRun).filter_by(dag_id=dag_id, run_id=run_id)).one()
        tasks = session.scalars(select(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id)).all()
        values = session.scalars(
            select(XComModel).filter_by(dag_id=dag_id, run_id=run_id, key="return_value")
        ).all()
        events = session.scalars(
            select(AssetEvent).filter_by(source_dag_id=dag_id, source_run_id=run_id)
        ).all()
        return FinishedRun(
            run_id=run_id,
            state=str(run.state),
            tasks={task.task_id: str(task.state) for task in tasks},
            results={value.task_id: XComModel.deserialize_value(value) for value in values},
            events={event.asset.name: dict(event.extra) for event in events},
            started=dict(_started(session, dag_id, run_id)),
        )


def _started(session: Any, dag_id: str, run_id: str) -> Iterator[tuple[str, StartedRun]]:
    """Runs that a task of this one started; which they are, its XCom says."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    told = select(XComModel).filter_by(dag_id=dag_id, run_id=run_id, key="trigger_run_id")
    for value in session.scalars(told).all():
        name = XComModel.deserialize_value(value)
        for run in session.scalars(select(DagRun).filter_by(run_id=name)).all():
            yield run.dag_id, StartedRun(name, dict(run.conf or {}), run.note or "", run.run_after)
