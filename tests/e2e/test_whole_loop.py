"""The whole loop on a real `airflow standalone`, `mlflow server` and model server, driven as a client would.

One stack for the module: starting it takes longer than most of what is tested on it. The tests run in
the order in which a model lives.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import httpx
import psutil
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.cli.demo.stack import environment, gateway_command
from airflow_mlops.core.ledger import champion_at
from airflow_mlops.core.windows import Window

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
MODEL = "breast_cancer"


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
    # Airflow creates a backfill's runs one by one and takes them back where its database was busy meanwhile.
    # A scheduler that has begun one by then ends itself: nothing is begun before all of them are there.
    loop.api.pause(dag_id, paused=True)
    for _ in range(5):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment(loop.site)
        )
        if "database is locked" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    loop.api.pause(dag_id, paused=False)

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
    taken, deploys = len(loop.entries("rollout_taken")), f"{MODEL}.deploy"
    loop.api.trigger(f"{MODEL}.train", {"window_end": "2024-11-01"})
    loop.wait(lambda: len(loop.entries("rollout_taken")) > taken, "the claim")
    with gateway_killed(loop):
        loop.wait(lambda: "failed" in loop.api.runs(deploys).values(), "the failed rollout")
    assert [entry.subject for entry in loop.entries("rollout_taken")][-1] not in {
        entry.subject for entry in loop.entries("promoted")
    }
    states = loop.run("deploy")
    assert states["run"] == "success", states
    assert [entry.kind for entry in loop.ledger.entries(MODEL)][-1] == "rolled_back"
    assert {answer["version"] for answer in loop.ask(rows[:5])} == {"2"}


@contextmanager
def gateway_killed(loop: Any) -> Iterator[None]:
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


def _is_ready(loop: Any) -> bool:
    try:
        return loop.gateway.get("/ready").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def frozen(loop: Any, name: str) -> Iterator[None]:
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
    ever = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
    log = ParquetInferenceLog(LocalStore(loop.site.store)).read(MODEL, ever)
    assert len(log)
    answered = log[log["role"] != "shadow"]
    assert not answered.duplicated(["request_id", "key"]).any()


@pytest.fixture(scope="module")
def challenger(loop) -> str:
    """A run of the train DAG, started by ``admin``, whose gates no model passes and a person may override."""
    loop.rewrite(
        ("gates:\n", "gates:\n  on_fail: ask\n  review: {four_eyes: true}\n"),
        ("roc_auc, minimum: 0.9}", "roc_auc, minimum: 0.99999}"),
        ("deploy:\n", "deploy:\n  approval: {four_eyes: true}\n"),
    )
    loop.wait(lambda: loop.has_task("train", "review") and loop.has_task("deploy", "approve"), "the new YAML")
    return loop.api.trigger(f"{MODEL}.train", {"window_end": "2024-12-01"})


def test_a_person_who_started_nothing_overrides_the_gates_and_only_then_it_is_registered(loop, challenger):
    registered = len(loop.entries("registered"))
    question = loop.question("review")
    assert "0.99999" in question["body"] or "1.0000" in question["body"]
    loop.answer("ada", question, "Override", "the threshold is a typing error")
    loop.wait(lambda: len(loop.entries("registered")) > registered, "the registration")
    (entry,) = loop.entries("overridden")
    assert (entry.actor, entry.data["verdict"]) == ("ada", "fail")
    assert loop.entries("registered")[-1].data["overridden_by"] == "ada"


def test_a_yes_of_who_started_the_training_does_not_count_and_the_question_stands_again(loop, challenger):
    loop.answer("admin", loop.question("approve"), "Approve", "mine")
    loop.wait(lambda: loop.entries("answer_refused"), "the answer that does not count")
    (entry,) = loop.entries("answer_refused")
    assert entry.actor == "admin"
    assert loop.question("approve")["responded_at"] is None


def test_another_person_reads_the_evidence_in_a_browser_and_approves_with_a_reason(loop, challenger, browser):
    question = loop.question("approve")
    browser.open(loop.form_url(question), "grace", loop.password("grace"))
    form = browser.wait("[name=element_reason]")
    table = browser.wait("table:has(th)").text
    assert "challenger champion difference" in table.splitlines()[0]
    assert any(line.startswith("roc_auc 0.") for line in table.splitlines())
    page = browser.driver.page_source
    assert "ada, admin had a hand in this" in page
    assert "model card" in page
    form.send_keys("The new clinic's biopsies are in.")
    browser.keep("approval")
    browser.wait("[data-testid=hitl-option-Approve]").click()
    loop.wait(lambda: loop.entries("approved"), "the approval")
    (entry,) = loop.entries("approved")
    assert (entry.actor, entry.reasons) == (
        "grace",
        ("approved by grace: The new clinic's biopsies are in.",),
    )


def test_a_rollout_that_is_cleared_asks_again_and_a_rejection_by_rest_rolls_it_back(loop, challenger):
    deploys = f"{MODEL}.deploy"
    (run_id,) = [run for run, state in loop.api.runs(deploys).items() if state == "running"]
    # An answer is on record before its task is over, and a task that is cleared while it runs is tried again.
    loop.wait(lambda: loop.api.tasks(deploys, run_id)["approve"] == "success", "the end of the approval")
    whole = {"task_ids": ["approve"], "dag_run_id": run_id, "include_downstream": True}
    more = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
    loop.api._call("POST", f"/dags/{deploys}/clearTaskInstances", json={**whole, **more})
    loop.answer("ada", loop.question("approve"), "Reject", "the freeze begins today")
    loop.wait(lambda: loop.api.runs(deploys)[run_id] == "success", "the end of the rollout")
    (entry,) = loop.entries("declined")
    assert (entry.actor, entry.reasons) == ("ada", ("rejected by ada: the freeze begins today",))
    assert loop.entries("rolled_back")[-1].subject == entry.subject
