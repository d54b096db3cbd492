"""The same rollouts on a whole Airflow, whose scheduler is killed with all the workers that it has forked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_mlops.cli.demo import stack
from airflow_mlops.cli.demo.airflow_api import FINISHED, AirflowApi
from airflow_mlops.core.ledger import EntryKind
from airflow_mlops.testing.airflow_home import migrate

from .episodes import Outcome, agree, nothing_lost
from .killing import Kill
from .servers import Server
from .site import MODEL, ChaosSite
from .users import Users

MOMENTS: Sequence[EntryKind] = (
    "rollout_taken", "smoke_served", "shadowed", "canary_step", "promotion_intended", "promoted",
)  # fmt: skip
DAG_ID = f"{MODEL}.deploy"
RUN_SECONDS = 240.0
ROOT = Path(__file__).parents[2]
# What `airflow standalone` would hand to all of its programs.
SECRETS = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{stack.USER}:admin",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only for these rollouts, and long enough to be one",
    "AIRFLOW__API__SECRET_KEY": "only for these rollouts",
    "AIRFLOW__CORE__FERNET_KEY": "",
}
# A task whose scheduler died is found by its silence, and an orphan by the next scheduler. One that is to
# look sooner than its own heart beats takes its own tasks for orphans.
PATIENCE = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
}


@dataclass
class RealAirflow:
    """Airflow beside the servers of a chaos site."""

    site: ChaosSite
    api: AirflowApi
    scheduler: Server

    def rollout(self, number: int) -> Outcome:
        """A rollout under traffic whose scheduler is killed at the moment of this number, from 1."""
        site = self.site
        version, begun = site.register(), time.time()
        outcome = Outcome(Kill("scheduler", number, after=True), version, changes=MOMENTS)
        users = Users(site.site.url("gateway"), f"v{version}")
        try:
            run_id = self.api.trigger(DAG_ID, {})
            self._wait_for(MOMENTS[number - 1], version, run_id)
            os.killpg(self.scheduler.group, signal.SIGKILL)
            self.scheduler.stop()
            self.scheduler.start()
            if self._ended(run_id) != "success":
                outcome.ended_by = "the next run"
            self._ended(self.api.trigger(DAG_ID, {}))
        finally:
            asked = users.stop()
        outcome.seconds = time.time() - begun
        agree(site, outcome)
        nothing_lost(site, asked, 0.0, (), outcome)
        return outcome

    def _wait_for(self, kind: EntryKind, version: str, run_id: str) -> None:
        end = time.monotonic() + RUN_SECONDS
        while not any(
            entry.kind == kind and entry.subject == version
            for entry in self.site.backends.ledger.entries(MODEL)
        ):
            if time.monotonic() > end:
                raise RuntimeError(f"no {kind} of version {version}: {self.api.tasks(DAG_ID, run_id)}")
            time.sleep(0.05)

    def _ended(self, run_id: str) -> str:
        end = time.monotonic() + RUN_SECONDS
        while (state := self.api.runs(DAG_ID).get(run_id, "")) not in FINISHED:
            if time.monotonic() > end:
                raise RuntimeError(f"{run_id} does not end: {self.api.tasks(DAG_ID, run_id)}")
            time.sleep(0.3)
        return state


@contextmanager
def real_airflow(site: ChaosSite) -> Iterator[RealAirflow]:
    """Airflow's four programs, each with its processes in a group of its own; all are stopped at the end."""
    place, home = site.site, site.site.state / "airflow"
    env = {**stack.environment(place), **SECRETS, **PATIENCE}
    migrate(home, site.home / "template")
    (site.home / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "mlops.py", site.home / "dags")
    (home / "simple_auth_manager_passwords.json.generated").write_text(
        json.dumps({stack.USER: place.password})
    )
    health = f"{place.url('airflow')}/api/v2/monitor/health"
    programs = [
        Server(name, [sys.executable, "-m", "airflow", name], env, place.logs / f"{name}.log", health)
        for name in ("api-server", "dag-processor", "triggerer", "scheduler")
    ]
    api = AirflowApi(place.url("airflow"), stack.USER, place.password)
    try:
        for program in programs:
            program.start()
        programs[0].wait_until_up()
        end = time.monotonic() + RUN_SECONDS
        while not api.has_dag(DAG_ID):
            if time.monotonic() > end:
                raise RuntimeError(f"Airflow has no {DAG_ID}: {api.import_errors()}")
            time.sleep(0.5)
        api.pause(DAG_ID, paused=False)
        yield RealAirflow(site, api, programs[-1])
    finally:
        for program in programs:
            program.stop()
