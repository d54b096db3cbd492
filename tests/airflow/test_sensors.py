"""Sensors: the same look by poke and by trigger, on a real ledger."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.sensors import (
    LabelArrivalSensor,
    ModelVersionSensor,
    PendingChallengerSensor,
    RetrainRequestSensor,
    RolloutSensor,
)
from airflow_mlops.triggers.ledger import LedgerTrigger
from airflow_mlops.triggers.pause import PauseTrigger
from airflow_mlops.triggers.rollout_end import RolloutEndTrigger


@pytest.fixture
def append(mlops_store):
    ledger = connect(Endpoints(store=str(mlops_store))).ledger

    def write(kind, subject, hour, **data):
        at = datetime(2026, 3, 1, hour, tzinfo=timezone.utc)
        ledger.append(Entry("churn", kind, subject, at, "churn.monitor", "r1", reasons=("PSI",), data=data))

    return write


def test_a_request_that_no_run_has_taken_lets_the_sensor_go_on(append):
    sensor = RetrainRequestSensor(task_id="wait", model="churn")
    assert not sensor.poke({}).is_done
    append("retrain_requested", "q1", 1)
    append("retrain_requested", "q2", 2)
    assert sensor.execute({}) == {
        "subject": "q1",
        "at": "2026-03-01T01:00:00+00:00",
        "reasons": ["PSI"],
        "pending": 2,
    }
    append("retrain_taken", "q1", 3)
    append("retrain_taken", "q2", 3)
    assert not sensor.poke({}).is_done


def test_a_backfill_version_is_no_challenger(append):
    sensor = PendingChallengerSensor(task_id="wait", model="churn", deferrable=False)
    append("registered", "1", 1, role="backfill")
    assert not sensor.poke({}).is_done
    append("registered", "2", 2, role="challenger")
    assert sensor.execute({})["subject"] == "2"


def test_the_trigger_looks_until_something_waits_and_gives_one_event(append):
    sensor = PendingChallengerSensor(task_id="wait", model="churn", poke_interval=0.02, timeout=90)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert deferred.value.timeout.total_seconds() == 90
    path, arguments = deferred.value.trigger.serialize()
    assert path == "airflow_mlops.triggers.ledger.LedgerTrigger"

    async def consume():
        events = []
        waiting = asyncio.create_task(_all(LedgerTrigger(**arguments), events))
        await asyncio.sleep(0.05)
        assert events == []
        append("registered", "2", 2, role="challenger")
        await asyncio.wait_for(waiting, 5)
        return events

    (event,) = asyncio.run(consume())
    assert sensor.execute_complete({}, event)["subject"] == "2"


async def _all(trigger, events):
    async for event in trigger.run():
        events.append(event.payload)


def test_a_store_that_is_not_set_fails_with_the_setting(monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", "")
    sensor = RetrainRequestSensor(task_id="wait", model="churn")
    with pytest.raises(AirflowFailException, match=r"\[mlops\] store is empty"):
        sensor.execute({})


def test_the_end_of_the_rollout_that_is_open_is_waited_for_by_poke_and_by_trigger(append):
    began = SimpleNamespace(start_date=datetime(2026, 3, 1, 12, tzinfo=timezone.utc))
    context = {"dag_run": began}
    append("rollout_taken", "2", 1)
    append("rolled_back", "2", 2)
    append("rollout_taken", "3", 3)
    sensor = RolloutSensor(task_id="wait", model="churn", poke_interval=0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context)
    # By a clock that goes after: the time stamps are not asked where the rollout is known.
    append("promoted", "3", 11)
    (event,) = asyncio.run(_consumed(RolloutEndTrigger, deferred.value.trigger))
    found = sensor.execute_complete(context, event)
    assert found == {
        "version": "3",
        "ended": "promoted",
        "at": "2026-03-01T11:00:00+00:00",
        "by": "airflow",
        "reasons": ["PSI"],
        "champion": "3",
    }


def test_without_an_open_rollout_the_next_one_is_waited_for_and_a_version_may_be_named(append):
    context = {"dag_run": SimpleNamespace(start_date=datetime(2026, 3, 1, 12, tzinfo=timezone.utc))}
    append("rollout_taken", "2", 1)
    append("rolled_back", "2", 2)
    append("rejected", "1", 13)
    waiting = RolloutSensor(task_id="wait", model="churn", deferrable=False)
    assert not waiting.poke(context).is_done
    assert RolloutSensor(task_id="two", model="churn", version="2").execute(context)["ended"] == "rolled_back"
    assert RolloutSensor(task_id="one", model="churn", version="1").execute(context)["ended"] == "rejected"
    append("rollout_taken", "3", 14)
    append("rolled_back", "3", 15)
    assert waiting.poke(context).xcom_value["version"] == "3"


async def _consumed(kind, trigger):
    path, arguments = trigger.serialize()
    assert path == f"{kind.__module__}.{kind.__name__}"
    events = []
    await asyncio.wait_for(_all(kind(**arguments), events), 5)
    return events


@pytest.fixture
def registry(mlops_store, monkeypatch):
    """An alias that a test moves; ``asked`` are the servers that were asked for it."""
    found = SimpleNamespace(now=ModelRef("churn", "1"), asked=[])

    def alias(self, name, alias):
        found.asked.append((name, alias))
        if isinstance(found.now, Exception):
            raise found.now
        return found.now

    monkeypatch.setattr("airflow_mlops.backends.tracking_mlflow.MlflowTracking.alias", alias)
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://:s3cret@mlflow.test:5000")
    return found


def test_an_alias_that_moves_lets_the_sensor_go_on_with_the_version(registry):
    sensor = ModelVersionSensor(task_id="wait", model="churn", poke_interval=0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert registry.asked == [("churn", "champion")]
    assert "s3cret" not in str(deferred.value.trigger.serialize())

    async def move():
        events = []
        waiting = asyncio.create_task(_all(deferred.value.trigger, events))
        for now in (BackendUnavailable("MLflow restarts"), None, ModelRef("churn", "1")):
            registry.now = now
            await asyncio.sleep(0.05)
        assert events == []
        registry.now = ModelRef("churn", "2", "http://mlflow.test/2")
        await asyncio.wait_for(waiting, 5)
        return events

    (event,) = asyncio.run(move())
    assert sensor.execute_complete({}, event) == {
        "name": "churn", "version": "2", "url": "http://mlflow.test/2", "moved_from": "1",
    }  # fmt: skip


def test_an_alias_may_be_waited_for_at_a_version_or_away_from_one(registry):
    assert ModelVersionSensor(task_id="at", model="churn", version="1").execute({})["version"] == "1"
    away = ModelVersionSensor(task_id="away", model="churn", moved_from="1", deferrable=False)
    assert not away.poke({}).is_done
    registry.now = ModelRef("churn", "3")
    assert away.poke({}).xcom_value["version"] == "3"


def test_a_sensor_that_could_not_remember_its_first_look_is_refused():
    with pytest.raises(ValueError, match="give moved_from or version"):
        ModelVersionSensor(task_id="wait", model="churn", deferrable=False, mode="reschedule")
    for more in ({"version": "2"}, {"moved_from": "1"}, {"deferrable": True}):
        ModelVersionSensor(task_id="wait", model="churn", mode="reschedule", **{"deferrable": False, **more})


def test_an_mlflow_without_a_connection_fails_with_the_command_that_adds_it(registry):
    sensor = ModelVersionSensor(task_id="wait", model="churn", mlflow_conn_id="elsewhere")
    with pytest.raises(AirflowFailException, match="airflow connections add elsewhere"):
        sensor.execute({})


JANUARY = {"window_start": "2026-01-01", "window_end": "2026-02-01"}


@pytest.fixture
def labels(mlops_store):
    """Ten answers of January; ``land(n)`` lets the labels of the first n be there."""
    keys, asked = [f"k{number}" for number in range(10)], datetime(2026, 1, 5, tzinfo=timezone.utc)
    log = mlops_store / "inference" / "churn" / "date=2026-01-05"
    log.mkdir(parents=True)
    answers = {"request_id": keys, "key": keys, "prediction": 0.5, "error": None, "role": "champion"}
    frame = pd.DataFrame({**answers, "version": "1", "event_time": asked, "received_at": asked})
    frame.astype({"error": "string"}).to_parquet(log / "part.parquet")
    (mlops_store / "labels").mkdir()

    def land(count):
        rows = pd.DataFrame({"id": keys[:count], "at": asked, "churned": 1})
        rows.to_parquet(mlops_store / "labels" / "landed.parquet")

    return land


@pytest.fixture
def labelled_model(tmp_path):
    """The path of a model's YAML that says where its labels land."""
    path = tmp_path / "churn.yaml"
    text = (Path(__file__).parents[1] / "churn.yaml").read_text()
    labels = "{source: {type: parquet, path: labels/*.parquet}}"
    watched = "{metric: roc_auc}"
    path.write_text(f"{text}monitor: {{labels: {labels}, performance: {watched}}}\n")
    return str(path)


def test_labels_are_waited_for_until_enough_are_there_and_no_worker_is_held(labels, labelled_model):
    labels(4)
    sensor = LabelArrivalSensor(
        task_id="wait", model=labelled_model, coverage=0.9, poke_interval=0.01,
        deadline=timedelta(days=36_000), **JANUARY,
    )  # fmt: skip
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    (event,) = asyncio.run(_consumed(PauseTrigger, deferred.value.trigger))
    with pytest.raises(TaskDeferred) as again:
        sensor.execute_complete({}, event)
    labels(9)
    (event,) = asyncio.run(_consumed(PauseTrigger, again.value.trigger))
    assert sensor.execute_complete({}, event) == {
        "window_start": "2026-01-01T00:00:00+00:00", "window_end": "2026-02-01T00:00:00+00:00",
        "answers": 10, "labels": 9, "coverage": 0.9, "reached": True,
    }  # fmt: skip
    waited_long = {"resume": {"began": "2000-01-01T00:00:00+00:00"}, "moment": ""}
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute_complete({}, waited_long)


def test_at_the_deadline_the_wait_goes_on_with_what_is_there_or_skips_or_fails(labels, labelled_model):
    labels(4)
    late = {"model": labelled_model, "deadline": timedelta(seconds=1), **JANUARY}
    found = LabelArrivalSensor(task_id="go", **late).execute({})
    assert (found["reached"], found["labels"]) == (False, 4)
    with pytest.raises(
        AirflowSkipException, match="4 of 10 answers in 2026-01-01 to 2026-02-01 have a label"
    ):
        LabelArrivalSensor(task_id="skip", on_deadline="skip", **late).execute({})
    with pytest.raises(AirflowFailException, match="the deadline of 1 second after the window has passed"):
        LabelArrivalSensor(task_id="fail", on_deadline="fail", deferrable=False, **late).execute({})


def test_the_window_is_the_runs_interval_and_the_share_is_the_yamls(labels, labelled_model):
    labels(10)
    start, end = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (1, 2))
    run = SimpleNamespace(data_interval_start=start, data_interval_end=end, run_after=end)
    found = LabelArrivalSensor(task_id="wait", model=labelled_model).execute({"dag_run": run})
    assert (found["window_end"], found["answers"]) == ("2026-02-01T00:00:00+00:00", 10)


def test_a_model_that_does_not_say_where_its_labels_land_is_refused():
    with pytest.raises(AirflowFailException, match="give the path of its YAML"):
        LabelArrivalSensor(task_id="wait", model="churn", **JANUARY).execute({})
    with pytest.raises(ValueError, match="give window_start and window_end, or neither"):
        LabelArrivalSensor(task_id="wait", model="churn", window_end="2026-02-01")
