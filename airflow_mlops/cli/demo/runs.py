"""Starts the DAGs' runs and waits for them, saying what they are doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlops.cli.demo.airflow_api import FINISHED
from airflow_mlops.cli.demo.failures import DemoFailed, last_lines
from airflow_mlops.cli.demo.progress import Narrator
from airflow_mlops.cli.demo.stack import Stack

POLL_SECONDS = 0.5
EVENT_SECONDS = 60.0
RUN_SECONDS = 1200.0


class Runs:
    """Runs of one model's DAGs. A run is waited for once; those seen before are never taken for new ones."""

    def __init__(self, stack: Stack, narrator: Narrator, model: str) -> None:
        self._stack = stack
        self._narrator = narrator
        self._model = model
        self._seen: set[str] = set()

    def by_hand(self, role: str, conf: Mapping[str, Any]) -> str:
        """Start a run and wait for its end; its id."""
        run_id = self._stack.airflow.trigger(self._dag(role), conf)
        self._seen.add(run_id)
        self._wait_for_end(role, run_id, lambda: None)
        return run_id

    def by_asset(self, role: str, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Wait for a run that an asset event starts, and for its end; its id. ``meanwhile`` is called again
        and again while it runs.

        Airflow may hold an event back until the next one (https://github.com/apache/airflow/issues/56050):
        after a minute the run is started by hand. It works off what is pending, and the late one finds
        nothing to do.
        """
        run_id = self._new_run(role)
        if run_id is None:
            self._narrator.say(f"Airflow holds the event for {self._dag(role)} back; starting it by hand")
            run_id = self._stack.airflow.trigger(self._dag(role), {})
        self._seen.add(run_id)
        self._wait_for_end(role, run_id, meanwhile)
        return run_id

    def _new_run(self, role: str) -> str | None:
        deadline = time.monotonic() + EVENT_SECONDS
        while time.monotonic() < deadline:
            self._stack.check()
            for run_id in self._stack.airflow.runs(self._dag(role)):
                if run_id not in self._seen:
                    return run_id
            self._narrator.now(f"{self._dag(role)}: waiting for its asset event")
            time.sleep(POLL_SECONDS)
        return None

    def _wait_for_end(self, role: str, run_id: str, meanwhile: Callable[[], None]) -> None:
        dag_id = self._dag(role)
        deadline = time.monotonic() + RUN_SECONDS
        while (state := self._stack.airflow.runs(dag_id).get(run_id, "none")) not in FINISHED:
            self._stack.check()
            meanwhile()
            tasks = self._stack.airflow.tasks(dag_id, run_id)
            busy = [name for name, doing in tasks.items() if doing in ("running", "deferred", "queued")]
            self._narrator.now(f"{dag_id}: {', '.join(busy) or state}")
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"{dag_id} has not ended after {RUN_SECONDS:.0f} s. {self._log_of(busy, dag_id)}"
                )
            time.sleep(POLL_SECONDS)
        if state == "failed":
            tasks = self._stack.airflow.tasks(dag_id, run_id)
            bad = [name for name, end in tasks.items() if end == "failed"]
            raise DemoFailed(f"{dag_id} failed at {', '.join(bad)}. {self._log_of(bad, dag_id)}")

    def _log_of(self, tasks: list[str], dag_id: str) -> str:
        folder = self._stack.site.state / "airflow" / "logs" / f"dag_id={dag_id}"
        written: list[Path] = [log for name in tasks for log in folder.glob(f"*/task_id={name}/*.log")]
        newest = max(written, key=lambda log: log.stat().st_mtime, default=None)
        return last_lines(newest if newest else self._stack.site.logs / "airflow.log")

    def _dag(self, role: str) -> str:
        return f"{self._model}.{role}"
