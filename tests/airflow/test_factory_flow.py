"""Which tasks of a model's own DAGs run, skip and fail; Airflow is real, the steps answer by a script."""

from __future__ import annotations

from datetime import datetime, timezone
from threading import Timer

import pytest
from airflow.sdk import DAG

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.hooks import backends as hooks
from airflow_mlops.sensors import DriftSensor
from airflow_mlops.steps import catalog

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

PASSED = {"outcome": "pass", "reasons": ["it answers"]}
HELD = {"outcome": "fail", "reasons": ["row 3 has no prediction"]}
ROLLOUT = {
    "id": "rain-v2",
    "candidate": {"name": "rain", "version": "2", "url": None},
    "champion": {"name": "rain", "version": "1", "url": None},
    "training": {"run_id": "b", "model_uri": "runs:/b/model", "url": None, "sha256": None},
}
FIRST = ROLLOUT | {"champion": None}
REPORT = {"kind": "drift", "uri": "file:///drift.html", "summary": {}}
DECISION = {"action": "retrain", "cause": "drift", "reasons": ["3 of 5 windows drifted"]}
WINDOW = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
CAUSE = {"model": "rain", "causes": [{"cause": "drift", "features": ["pressure"]}], "reasons": ["it moved"]}
COLLECTED = {
    "window": WINDOW,
    "uri": "file:///log.parquet",
    "rows": 900,
    "champion": {"name": "rain", "version": "1", "url": None},
}


@pytest.fixture
def run(monkeypatch, model_yaml, mlops_load_model_dags, mlops_run_dag):
    """``run(role, level=2, **answers)``: run one DAG; each step gives its answer, ``None`` being nothing."""

    def run_dag(role, level=2, **answers):
        answers = {"bring_up": {"ready": True, "said": "it is up"}, **answers}

        def run_step(name, request, connected):
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name]

        monkeypatch.setattr(catalog, "run_step", run_step)
        monkeypatch.setattr(hooks, "connect_backends", lambda config, **options: None)
        return mlops_run_dag(mlops_load_model_dags(model_yaml("rain", level=level))[f"rain.{role}"])

    return run_dag


def test_a_deploy_run_with_nothing_pending_skips_every_task_and_is_green(run):
    done = run("deploy", take_challenger=None)
    assert done.state == "success"
    assert set(done.tasks.values()) == {"skipped"}


def test_a_deploy_run_that_cannot_take_its_challenger_is_red(run):
    done = run("deploy", take_challenger=DataRefused("two rollouts are open"))
    assert done.state == "failed"
    assert done.tasks["take_challenger"] == "failed"
    assert done.tasks["promote"] != "success"


def test_a_first_model_is_promoted_without_shadow_and_canary_and_announced(run):
    done = run("deploy", take_challenger=FIRST, smoke_serve=PASSED, promote=FIRST["candidate"])
    assert done.state == "success"
    skipped = {name for name, state in done.tasks.items() if state == "skipped"}
    assert skipped == {"shadow", "canary.weight_10", "canary.weight_50", "roll_back"}
    assert done.events["rain/champion"]["version"] == "2"


def test_a_challenger_that_fails_its_smoke_test_is_rolled_back_in_a_green_run(run):
    done = run("deploy", take_challenger=ROLLOUT, smoke_serve=HELD, roll_back=ROLLOUT["champion"])
    assert done.state == "success"
    ran = {name for name, state in done.tasks.items() if state == "success"}
    assert ran == {"take_challenger", "smoke_serve", "conclude", "roll_back"}
    assert done.results["conclude"]["reasons"][0] == "row 3 has no prediction"
    assert done.events == {}


def test_a_stage_that_errors_is_rolled_back_and_the_run_is_red_so_that_somebody_looks(run):
    done = run(
        "deploy",
        take_challenger=ROLLOUT,
        smoke_serve=PASSED,
        open_stage=DataRefused("the endpoint speaks another version"),
        roll_back=ROLLOUT["champion"],
    )
    assert done.tasks["shadow"] == "failed"
    assert (done.tasks["roll_back"], done.tasks["promote"]) == ("failed", "skipped")
    assert done.state == "failed"
    assert done.tasks["announce_champion"] == "skipped"


def test_a_monitor_run_with_nothing_served_skips_every_task_and_is_green(run):
    done = run("monitor", level=3, collect=None)
    assert done.state == "success"
    assert set(done.tasks.values()) == {"skipped"}


@pytest.mark.parametrize(("performance", "wanted"), [(None, "r1"), (REPORT, "r2")])
def test_monitoring_asks_for_retraining_whether_or_not_labels_have_landed(run, performance, wanted):
    done = run(
        "monitor",
        level=3,
        collect=COLLECTED,
        data_quality=REPORT,
        drift=REPORT,
        performance=performance,
        find_cause=CAUSE,
        decide={"decision": DECISION, "window": WINDOW, "request_id": wanted, "summary": {}},
    )
    assert done.state == "success"
    assert done.tasks["performance"] == ("success" if performance else "skipped")
    assert done.events["rain/retrain"]["decision"]["cause"] == "drift"
    assert done.events["rain/drift"] == CAUSE
    assert ("rain/decay" in done.events) is (performance is not None)
    asked = done.started["rain.train"]
    assert asked.run_id == f"retrain__2026-01-02T00:00__{wanted}"
    assert (asked.conf["request"], asked.conf["cause"]) == (wanted, "drift")
    assert "because of drift" in asked.note
    assert "3 of 5 windows drifted" in asked.note


def test_monitoring_that_decides_to_keep_the_model_announces_nothing(run):
    keep = {"action": "keep", "cause": None, "reasons": ["1 of 5 windows drifted"]}
    done = run(
        "monitor",
        level=3,
        collect=COLLECTED,
        data_quality=REPORT,
        drift=REPORT,
        performance=REPORT,
        find_cause=None,
        decide={"decision": keep, "window": WINDOW, "request_id": None, "summary": {}},
    )
    assert done.state == "success"
    assert done.tasks["request_retraining"] == "skipped"
    assert done.events == {}


def test_a_train_run_with_nothing_pending_skips_every_task_and_is_green(run):
    done = run("train", level=3, snapshot=None)
    assert done.state == "success"
    assert set(done.tasks.values()) == {"skipped"}


def test_a_dag_by_hand_waits_for_drift_and_goes_on_with_its_cause(mlops_store, mlops_run_dag):
    ledger = connect(Endpoints(store=str(mlops_store))).ledger
    at, data = datetime(2026, 3, 1, tzinfo=timezone.utc), {"cause": "drift", "scores": {"pressure": 0.4}}
    found = Entry("rain", "cause_found", "drift 1", at, "rain.monitor", "r1", data=data)
    with DAG("wait_for_drift", schedule=None, auto_register=False) as dag:
        DriftSensor(task_id="wait", model="rain", poke_interval=0.1)
    Timer(0.5, ledger.append, [found]).start()
    done = mlops_run_dag(dag)
    assert done.tasks == {"wait": "success"}
    assert done.results["wait"]["causes"][0]["scores"] == {"pressure": 0.4}
