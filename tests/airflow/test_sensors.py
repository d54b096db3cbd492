"""Sensors: the same look by poke and by trigger, on a real ledger."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.sensors import PendingChallengerSensor, RetrainRequestSensor
from airflow_mlops.triggers.ledger import LedgerTrigger


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
