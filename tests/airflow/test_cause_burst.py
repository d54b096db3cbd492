"""500 drift events at 20 models, in Airflow's own database, by its asset manager and its scheduler.

Events come faster than runs, so Airflow merges them; some DAGs are paused for a while, some until all is
over; scheduler and tasks are killed in between. Each cause must be acted on once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.operators import TakeCausesOperator
from airflow_mlops.triggers import CauseTrigger

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

MODELS = [f"burst_{number}" for number in range(20)]
EACH = 25
PAUSED_FOR_A_WHILE = MODELS[:5]
PAUSED_UNTIL_ALL_IS_OVER = MODELS[5:8]
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
WATCH = "airflow_mlops.triggers.causes.CauseTrigger"


class Airflow:
    """The parts of a running Airflow that hand an event on: asset manager, scheduler, triggerer, worker."""

    def __init__(self, store, home) -> None:
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        self.ledger = connect(Endpoints(store=str(store))).ledger
        self.dags = {model: consumer(model) for model in MODELS}
        self.chance = random.Random(3)
        self.acted: list[tuple[str, str]] = []
        self.runs = self.skipped = self.killed = 0
        self._bag(home)
        self.start_scheduler = lambda: SchedulerJobRunner(job=Job(), executors=[])

    def _bag(self, home) -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        DagBundlesManager().sync_bundles_to_db()
        folder = home / "dags"
        bag = DagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder", collect_dags=False)
        for dag in self.dags.values():
            bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)

    def pause(self, models, *, paused: bool) -> None:
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from sqlalchemy import update

        ids = [self.dags[model].dag_id for model in models]
        with create_session() as session:
            session.execute(update(DagModel).where(DagModel.dag_id.in_(ids)).values(is_paused=paused))

    def find(self, events: list[tuple[str, int]]) -> None:
        """What the monitors' tasks do: the ledger first, and then the events."""
        for model, number in events:
            self.ledger.append(
                Entry(
                    model,
                    "cause_found",
                    f"drift {number}",
                    START + timedelta(hours=number),
                    f"{model}.monitor",
                    f"r{number}",
                    data={"cause": "drift", "features": ["age"], "scores": {"age": 0.4}},
                )
            )
        self.emit([Asset(f"{model}/drift") for model, _ in events])

    def emit(self, assets: list[Asset]) -> None:
        from airflow.assets.manager import AssetManager
        from airflow.serialization.definitions.assets import SerializedAssetUniqueKey
        from airflow.utils.session import create_session

        with create_session() as session:
            for asset in assets:
                key = SerializedAssetUniqueKey(name=asset.name, uri=asset.uri)
                assert AssetManager.register_asset_change(asset=key, session=session) is not None

    def start_triggerer(self) -> list[str]:
        """The watches that the DAG processor has put into the database look, and their events are handed on
        as the triggerer does it; whose they are."""
        from airflow.models.trigger import Trigger
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            rows = session.scalars(select(Trigger).where(Trigger.classpath == WATCH)).all()
            watches = {row.id: CauseTrigger(**row.kwargs) for row in rows if not row.kwargs["once"]}
        assert len(watches) == len(MODELS)
        told = asyncio.run(_first_events(watches))
        for trigger_id, event in told.items():
            Trigger.submit_event(trigger_id, event)
        return [watches[trigger_id].model for trigger_id in told]

    def schedule(self) -> None:
        """A loop of a scheduler that has just been started: the one before it is gone."""
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit

        with create_session() as session, prohibit_commit(session) as guard:
            self.start_scheduler()._create_dagruns_for_dags(guard, session)

    def work(self) -> int:
        """Run what is queued, one run after the other; the number of runs."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState
        from sqlalchemy import select

        ids = [dag.dag_id for dag in self.dags.values()]
        with create_session() as session:
            queued = session.scalars(
                select(DagRun).where(DagRun.state == DagRunState.QUEUED, DagRun.dag_id.in_(ids))
            ).all()
            for run in queued:
                self._act(run.dag_id, run.run_id)
                run.state = DagRunState.SUCCESS
        self.runs += len(queued)
        return len(queued)

    def _act(self, dag_id: str, run_id: str) -> None:
        """A task that may be killed in the middle, and is then tried again."""
        model = dag_id.removeprefix("act_on_")
        context = {"dag_run": SimpleNamespace(dag_id=dag_id, run_id=run_id)}
        task = self.dags[model].task_dict["take"]
        if self.chance.random() < 0.3:
            self._kill_in_the_middle(task, context)
        try:
            taken = task.execute(context)
        except AirflowSkipException:
            self.skipped += 1
            return
        self.acted += [(model, cause["subject"]) for cause in taken["causes"]]

    def _kill_in_the_middle(self, task, context) -> None:
        from airflow_mlops.backends.ledger_store import ObjectLedger

        if (child := os.fork()) == 0:
            append, left = ObjectLedger.append, [self.chance.randint(0, 3)]

            def append_until_killed(ledger, entry):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return append(ledger, entry)

            ObjectLedger.append = append_until_killed
            try:
                task.execute(context)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        self.killed += os.WIFSIGNALED(status)


def consumer(model: str) -> DAG:
    """A hand-written DAG as the documentation shows it; woken by the monitor's asset, and by a watch."""
    dag_id = f"act_on_{model}"
    watch = AssetWatcher(name=dag_id, trigger=CauseTrigger(model=model, consumer=dag_id))
    with DAG(
        dag_id,
        schedule=Asset(f"{model}/drift") | Asset(f"{model}/watched", watchers=[watch]),
        max_active_runs=1,
        is_paused_upon_creation=False,
        auto_register=False,
    ) as dag:
        TakeCausesOperator(task_id="take", model=model, causes=["drift"])
    return dag


async def _first_events(watches: dict[int, CauseTrigger]) -> dict[int, Any]:
    """What each watch tells of when the triggerer is started: all look at once, and most find nothing."""

    async def first(watch: CauseTrigger) -> Any:
        try:
            return await asyncio.wait_for(anext(watch.run()), 2)
        except TimeoutError:
            return None

    told = await asyncio.gather(*map(first, watches.values()))
    return {watch: event for watch, event in zip(watches, told, strict=True) if event is not None}


def test_of_500_events_at_20_models_each_cause_is_acted_on_once(mlops_store, mlops_airflow_home):
    airflow = Airflow(mlops_store, mlops_airflow_home)
    airflow.pause([*PAUSED_FOR_A_WHILE, *PAUSED_UNTIL_ALL_IS_OVER], paused=True)
    events = [(model, number) for model in MODELS for number in range(EACH)]
    airflow.chance.shuffle(events)
    for first in range(0, len(events), 50):
        airflow.find(events[first : first + 50])
        if first == 300:
            airflow.pause(PAUSED_FOR_A_WHILE, paused=False)
        airflow.schedule()
        airflow.work()
    while True:
        airflow.schedule()
        if not airflow.work():
            break
    slept_through = set(MODELS) - {model for model, _ in airflow.acted}
    assert slept_through == set(PAUSED_UNTIL_ALL_IS_OVER), "Airflow keeps no event for a paused DAG"

    airflow.pause(PAUSED_UNTIL_ALL_IS_OVER, paused=False)
    assert set(airflow.start_triggerer()) == set(PAUSED_UNTIL_ALL_IS_OVER), (
        "who has something to take is woken"
    )
    airflow.schedule()
    airflow.work()

    acted = Counter(airflow.acted)
    assert len(acted) == len(events) == 500
    assert set(acted.values()) == {1}
    assert 20 <= airflow.runs < 200, "events were merged"
    assert airflow.killed >= 5, "hardly anything was killed in the middle"
