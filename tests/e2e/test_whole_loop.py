"""The whole loop on a real `airflow standalone`, `mlflow server` and model server, driven as a client would.

One stack for the module: starting it takes longer than most of what is tested on it. The tests run in
the order in which a model lives.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest
from rich.console import Console

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.demo.processes import Processes
from airflow_mlops.cli.demo.progress import Narrator
from airflow_mlops.cli.demo.stack import Stack, environment, gateway_command, new_site
from airflow_mlops.core.ledger import Entry, champion_at

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[2]
MODEL = "breast_cancer"
BROKEN = "apiVersion: airflow-mlops/v1\nmodel: broken\nlevel: 7\n"


class Loop:
    """A client of the running stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.site = stack.site
        self.api = stack.airflow
        self.gateway = httpx.Client(base_url=self.site.url("gateway"), timeout=30)
        self.ledger = connect(Endpoints(store=str(self.site.store))).ledger

    def entries(self, kind: str) -> list[Entry]:
        return [entry for entry in self.ledger.entries(MODEL) if entry.kind == kind]

    def run(self, role: str, **conf: Any) -> dict[str, str]:
        """Trigger a DAG and wait; the states of its tasks."""
        dag_id = f"{MODEL}.{role}"
        run_id = self.api.trigger(dag_id, conf)
        self.wait(lambda: self.api.runs(dag_id).get(run_id) in {"success", "failed"}, f"{dag_id} {run_id}")
        return {"run": self.api.runs(dag_id)[run_id], **self.api.tasks(dag_id, run_id)}

    def wait(self, is_done, what: str, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            self.stack.check()
            assert time.monotonic() < deadline, f"{what} is not done after {seconds:.0f} s"
            time.sleep(0.5)

    def ask(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self.gateway.post("/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"]

    @contextmanager
    def traffic(self, rows: list[dict[str, Any]]) -> Iterator[list[int]]:
        """Requests in the background, with keys of their own, until the block ends; their status codes."""
        codes: list[int] = []
        stop = threading.Event()

        def send() -> None:
            turn = 0
            with httpx.Client(base_url=self.site.url("gateway"), timeout=30) as client:
                while not stop.wait(0.1):
                    turn += 1
                    part = [
                        {**row, "biopsy_id": f"live-{turn}-{number}"} for number, row in enumerate(rows[:25])
                    ]
                    codes.append(client.post("/predict", json={"rows": part}).status_code)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield codes
        finally:
            stop.set()
            thread.join()


@pytest.fixture(scope="module")
def loop(tmp_path_factory) -> Iterator[Loop]:
    home = tmp_path_factory.mktemp("loop")
    repository = home / "repository"
    for folder in ("dags", "plugins"):
        shutil.copytree(REPOSITORY / folder, repository / folder)
    (repository / "configs").mkdir()
    config = (REPOSITORY / "configs" / f"{MODEL}.yaml").read_text()
    (repository / "configs" / f"{MODEL}.yaml").write_text(f"{config}\nexecution: {{retries: 0}}\n")
    (repository / "configs" / "broken.yaml").write_text(BROKEN)
    site = new_site(
        repository, home, model=MODEL, key_column="biopsy_id", time_column="taken_at", port_base=None
    )
    processes = Processes(home / "running.json")
    stack = Stack(site, processes)
    try:
        stack.start(Narrator([], Console(file=io.StringIO())))
        loop = Loop(stack)
        dags = [f"{MODEL}.{role}" for role in ("train", "deploy", "monitor")]
        loop.wait(lambda: all(loop.api.has_dag(dag) for dag in dags), "parsing the DAGs")
        for dag in dags:
            loop.api.pause(dag, paused=False)
        yield loop
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    try:
        from breast_cancer.data import biopsies
    finally:
        sys.path.remove(str(REPOSITORY / "plugins"))
    frame = biopsies(datetime(2024, 9, 1, tzinfo=timezone.utc), datetime(2024, 12, 1, tzinfo=timezone.utc))
    return json.loads(frame.drop(columns="malignant").to_json(orient="records", date_format="iso"))


def test_a_broken_yaml_shows_under_its_own_path_and_hides_nobody(loop):
    loop.wait(lambda: loop.api.import_errors(), "the import error")
    (error,) = loop.api.import_errors()
    assert "broken.yaml" in error
    assert "broken.yaml:3:8: level: 7 is not one of 1, 2 or 3" in error
    assert loop.api.has_dag(f"{MODEL}.train")


def test_a_run_by_hand_trains_and_the_first_model_is_promoted_by_the_asset(loop, rows):
    assert loop.gateway.get("/ready").status_code == 503
    states = loop.run("train", window_end="2024-06-01")
    assert states["run"] == "success", states
    assert states["announce_challenger"] == "success", states
    loop.wait(lambda: loop.entries("promoted"), "the first promotion")
    assert champion_at(loop.ledger.entries(MODEL)).version == "1"
    answers = loop.ask(rows[:3])
    assert [answer["version"] for answer in answers] == ["1", "1", "1"]
    assert answers[0]["key"] == rows[0]["biopsy_id"]


def test_a_challenger_goes_through_shadow_and_canary_without_a_lost_request(loop, rows):
    states = loop.run("train", window_end="2024-09-01")
    assert states["register"] == "success", states
    with loop.traffic(rows) as codes:
        loop.wait(lambda: len(loop.entries("promoted")) == 2, "the second promotion")
    assert len(codes) > 5
    assert set(codes) == {200}
    stages = [(entry.kind, entry.stage) for entry in loop.ledger.entries(MODEL) if entry.subject == "2"]
    assert ("shadowed", "0.0") in stages
    assert ("canary_step", "0.5") in stages
    assert {answer["version"] for answer in loop.ask(rows[:20])} == {"2"}


def test_monitor_reads_what_was_served_and_keeps_its_page(loop, rows):
    loop.ask(rows)
    states = loop.run("monitor", window_start="2024-09-01", window_end="2024-12-01")
    assert states["run"] == "success", states
    (seen,) = loop.entries("monitored")
    assert seen.data["rows"] >= len(rows)
    pages = list((loop.site.store / "reports" / f"{MODEL}.monitor").rglob("drift.html"))
    assert len(pages) == 1
    assert pages[0].stat().st_size > 100_000
    run, page = pages[0].parts[-2:]
    address = f"{loop.site.url('airflow')}/mlops/reports/{MODEL}.monitor/{run}/{page}"
    assert httpx.get(address).status_code == 401
    shown = httpx.get(address, headers=loop.api._http.headers)
    assert shown.status_code == 200
    assert shown.headers["Content-Security-Policy"].startswith("sandbox")
    assert shown.content == pages[0].read_bytes()
    missing = httpx.get(address.replace("drift", "absent"), headers=loop.api._http.headers)
    assert missing.status_code == 404


def test_nothing_is_left_to_do_for_a_deploy_run_and_it_ends_in_peace(loop):
    states = loop.run("deploy")
    assert states["run"] == "success", states
    assert states["take_challenger"] == "skipped"
    assert states["promote"] == "skipped"


def test_a_backfill_trains_as_of_each_month_and_leaves_the_champion(loop):
    before = loop.gateway.get("/ready").json()
    dag_id = f"{MODEL}.train"
    dates = ["--from-date", "2024-06-01", "--to-date", "2024-07-01"]
    command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", dag_id, *dates]
    subprocess.run(command, check=True, capture_output=True, env=environment(loop.site))

    def backfilled() -> list[str]:
        runs = loop.api._call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 100})["dag_runs"]
        return [run["state"] for run in runs if run["run_type"] == "backfill"]

    loop.wait(lambda: len(ended := backfilled()) == 2 and {*ended} <= {"success", "failed"}, "the backfill")
    assert backfilled() == ["success", "success"]
    registered = [entry for entry in loop.entries("registered") if entry.data["role"] == "backfill"]
    assert sorted(str(entry.window.end.date()) for entry in registered) == ["2024-07-01", "2024-08-01"]
    assert len(loop.entries("promoted")) == 2
    assert loop.gateway.get("/ready").json() == before


def test_history_answers_who_was_champion_and_why(loop):
    command = [
        sys.executable,
        "-m",
        "airflow_mlops",
        "history",
        MODEL,
        "--store",
        str(loop.site.store),
        "--json",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(loop.site))
    assert "promoted" in said.stdout
    first, second = loop.entries("promoted")
    assert (first.version, second.version) == ("1", "2")
    assert second.data["previous"] == "1"


def test_mlflow_away_is_a_clear_error_and_the_champion_goes_on_serving(loop, rows):
    registered = len(loop.entries("registered"))
    with frozen(loop, "mlflow"):
        states = loop.run("train", window_end="2024-10-01")
        assert states["run"] == "failed"
        assert states["register"] == "upstream_failed"
        assert loop.ask(rows[:1])[0]["version"] == "2"
    assert len(loop.entries("registered")) == registered


def test_a_server_away_ends_the_rollout_red_and_the_next_run_undoes_it(loop, rows):
    with gateway_killed(loop):
        states = loop.run("train", window_end="2024-11-01")
        assert states["announce_challenger"] == "success", states
        deploys = f"{MODEL}.deploy"
        loop.wait(lambda: "failed" in loop.api.runs(deploys).values(), "the failed rollout")
    assert [entry.subject for entry in loop.entries("rollout_taken")][-1] not in {
        entry.subject for entry in loop.entries("promoted")
    }
    states = loop.run("deploy")
    assert states["run"] == "success", states
    assert [entry.kind for entry in loop.ledger.entries(MODEL)][-1] == "rolled_back"
    assert {answer["version"] for answer in loop.ask(rows[:5])} == {"2"}


@contextmanager
def gateway_killed(loop: Loop) -> Iterator[None]:
    """The model server as after a power cut, and then started again by whoever looks after it."""
    server, log = loop.stack._processes._children.pop("gateway")
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    try:
        yield
    finally:
        command, env = gateway_command(loop.site), environment(loop.site)
        loop.stack._processes.start("gateway", command, env=env, log=log, folder=loop.site.state)
        loop.wait(lambda: _is_ready(loop), "the model server's return")


def _is_ready(loop: Loop) -> bool:
    try:
        return loop.gateway.get("/ready").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def frozen(loop: Loop, name: str) -> Iterator[None]:
    """A program of the stack that accepts connections and answers nothing: the worst way to be away."""
    record = json.loads((loop.site.home / "running.json").read_text())
    pid = next(running["pid"] for running in record if running["name"] == name)
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


def test_the_log_of_answers_holds_every_row_once(loop):
    loop.gateway.post(
        "/admin/flush", headers={"Authorization": f"Bearer {loop.site.token}"}
    ).raise_for_status()
    files = list((loop.site.store / "inference" / MODEL).rglob("*.parquet"))
    log = pd.concat([pd.read_parquet(file) for file in files])
    answered = log[log["role"] != "shadow"]
    assert not answered.duplicated(["request_id", "key"]).any()
