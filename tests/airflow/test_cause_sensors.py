"""Sensors of causes: they take what they go on with, by poke and by trigger, on a real ledger."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pandas as pd
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.sensors import DriftSensor, ModelAgeSensor, NewDataSensor, PerformanceSensor
from airflow_mlops.triggers import CauseTrigger, ModelAgeTrigger
from airflow_mlops.triggers.pause import PauseTrigger

DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)


@pytest.fixture
def ledger(mlops_store):
    return connect(Endpoints(store=str(mlops_store))).ledger


@pytest.fixture
def find(ledger):
    """``find(cause, day)``: the monitor finds something in the day's window."""

    def write(cause: str, day: int) -> None:
        window = Window(DAY + timedelta(days=day - 1), DAY + timedelta(days=day))
        data = {"cause": cause, "features": ["age"], "scores": {"age": 0.4}}
        told = {"window": window, "version": "3", "reasons": (f"age moved, day {day}",), "data": data}
        ledger.append(
            Entry("churn", "cause_found", f"{cause} {day}", window.end, "churn.monitor", "r1", **told)
        )

    return write


def context(run: str = "r1", dag: str = "act"):
    return {"dag_run": SimpleNamespace(dag_id=dag, run_id=run, start_date=DAY)}


def subjects(found):
    return [cause["subject"] for cause in found["causes"]]


def test_drift_lets_one_run_go_on_with_all_of_its_causes_and_each_only_once(find):
    sensor = DriftSensor(task_id="wait", model="churn", deferrable=False)
    assert not sensor.poke(context()).is_done
    find("drift", 1)
    find("decay", 1)
    find("drift", 2)
    found = sensor.execute(context())
    assert subjects(found) == ["drift 1", "drift 2"]
    assert found["reasons"] == ["age moved, day 1", "age moved, day 2"]
    assert found["causes"][0]["scores"] == {"age": 0.4}
    assert subjects(sensor.execute(context())) == ["drift 1", "drift 2"], "a retry finds what it took"
    assert not sensor.poke(context("r2")).is_done
    assert sensor.poke(context(dag="another")).is_done
    decay = PerformanceSensor(task_id="wait", model="churn", deferrable=False)
    assert subjects(decay.execute(context("r2"))) == ["decay 1"]


def test_a_sensor_that_takes_nothing_finds_the_same_again(find):
    find("drift", 1)
    sensor = DriftSensor(task_id="wait", model="churn", take=False)
    assert subjects(sensor.execute(context())) == subjects(sensor.execute(context("r2"))) == ["drift 1"]


def test_what_was_found_before_the_dag_begins_is_not_its_affair(find):
    find("drift", 1)
    with DAG("act", start_date=DAY + timedelta(days=2), schedule=None):
        sensor = DriftSensor(task_id="wait", model="churn", deferrable=False)
    assert not sensor.poke(context()).is_done
    find("drift", 2)
    assert subjects(sensor.execute(context())) == ["drift 2"]
    with DAG("all", start_date=DAY + timedelta(days=2), schedule=None):
        sensor = DriftSensor(task_id="wait", model="churn", since=DAY)
    assert subjects(sensor.execute(context(dag="all"))) == ["drift 1", "drift 2"]


def test_the_trigger_looks_and_the_resumed_task_takes_or_waits_on_where_another_run_was_first(find):
    sensor = DriftSensor(task_id="wait", model="churn", poke_interval=0.02, timeout=90)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    assert deferred.value.timeout.total_seconds() == 90
    trigger = made_again(deferred.value.trigger, CauseTrigger)
    event = asyncio.run(one_event(trigger, lambda: find("drift", 1)))
    assert event == {"found": {"pending": 1}}
    assert subjects(sensor.execute_complete(context(), event)) == ["drift 1"]
    with pytest.raises(TaskDeferred):
        sensor.execute_complete(context("r2"), event)


def test_a_damaged_ledger_fails_the_task_and_not_the_triggerer(find, mlops_store):
    sensor = DriftSensor(task_id="wait", model="churn", poke_interval=0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())

    def damage():
        (mlops_store / "ledger" / "churn").mkdir(parents=True)
        (mlops_store / "ledger" / "churn" / "x.json").write_text("{}")

    event = asyncio.run(one_event(made_again(deferred.value.trigger, CauseTrigger), damage))
    with pytest.raises(AirflowFailException, match="is not a ledger entry"):
        sensor.execute_complete(context(), event)


def test_a_champion_that_has_grown_old_is_a_cause_once_for_each_age(ledger):
    now = datetime.now(timezone.utc)
    sensor = ModelAgeSensor(task_id="wait", model="churn", age="30 days", poke_interval=0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    ledger_entry = Entry("churn", "promoted", "3", now - timedelta(days=45), "churn.deploy", "r1")
    trigger = made_again(deferred.value.trigger, ModelAgeTrigger)
    event = asyncio.run(one_event(trigger, lambda: ledger.append(ledger_entry)))
    assert event == {"found": {"subject": "age of version 3: 1 x 30 days"}}
    found = sensor.execute_complete(context(), event)
    assert found["causes"][0]["version"] == "3"
    assert sensor.execute(context()) == found, "a retry finds what it took"
    poking = ModelAgeSensor(task_id="wait", model="churn", age="30 days", deferrable=False)
    assert not poking.poke(context("r2")).is_done
    with pytest.raises(ValueError, match="is not a period"):
        ModelAgeSensor(task_id="wait", model="churn", age="old")


def test_new_rows_are_counted_by_the_task_which_is_woken_to_look(mlops_store, model_yaml, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://mlflow.test:5000")
    now = datetime.now(timezone.utc).replace(microsecond=0)

    def write(days: int) -> None:
        at = [now - timedelta(days=days - number) for number in range(days)]
        pd.DataFrame({"day": at, "rain": [1] * days}).to_parquet(mlops_store / "rain.parquet")

    write(3)
    sensor = NewDataSensor(task_id="wait", model=str(model_yaml("rain")), minimum_rows=5, poke_interval=0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    event = asyncio.run(one_event(made_again(deferred.value.trigger, PauseTrigger), lambda: write(6)))
    found = sensor.execute_complete(context(), event)
    assert found["causes"][0]["scores"] == {"rows": 6.0}
    assert sensor.execute(context()) == found, "a retry finds what it took"
    with pytest.raises(TaskDeferred):
        sensor.execute(context("r2"))


def test_the_timeout_counts_from_the_beginning_however_often_the_task_looks(find):
    sensor = DriftSensor(task_id="wait", model="churn", timeout=60)
    now = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred):
        sensor.execute_complete({**context(), "ti": SimpleNamespace(start_date=now)}, {"found": {}})
    late = {**context(), "ti": SimpleNamespace(start_date=now - timedelta(seconds=61))}
    with pytest.raises(AirflowSensorTimeout, match="there was no cause to act"):
        sensor.execute_complete(late, {"found": {}})
    find("drift", 1)
    assert subjects(sensor.execute_complete(late, {"found": {}})) == ["drift 1"]


def test_rows_of_code_that_runs_in_another_python_are_refused(mlops_store, model_yaml):
    path = model_yaml("rain", more="compute: {python: /opt/envs/rain/bin/python}\n")
    source = "{type: parquet, path: rain.parquet}"
    path.write_text(path.read_text().replace(source, "{type: python, callable: rain.data:rows}"))
    with pytest.raises(AirflowFailException, match="sensors look in the worker's own Python"):
        NewDataSensor(task_id="wait", model=str(path)).execute(context())


def test_a_name_does_not_say_where_rows_are(mlops_store):
    with pytest.raises(AirflowFailException, match="give NewDataSensor the path of its YAML"):
        NewDataSensor(task_id="wait", model="churn").execute(context())


def made_again(trigger, kind):
    """As the triggerer makes it."""
    path, arguments = trigger.serialize()
    assert path == f"{kind.__module__}.{kind.__qualname__}"
    return kind(**arguments)


async def one_event(trigger, meanwhile):
    events = []

    async def consume():
        async for event in trigger.run():
            events.append(event.payload)

    waiting = asyncio.create_task(consume())
    await asyncio.sleep(0.01)
    assert events == []
    meanwhile()
    await asyncio.wait_for(waiting, 5)
    (event,) = events
    return event
