"""Wait for a reason to act: drift, decay, enough new rows, or a champion that has grown old.

Each sensor takes the cause that it goes on with, so that the next run waits for the next one. None holds a
worker while it waits. All but ``NewDataSensor``, which counts rows where the YAML says they are, need the
model's name alone.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_mlops.sensors import DriftSensor, ModelAgeSensor, NewDataSensor, PerformanceSensor

MODEL = str(Path(__file__).parents[1] / "configs" / "flight_delay.yaml")


@task
def act(found: dict[str, Any]) -> str:
    """Why this run goes on."""
    return "; ".join(found["reasons"])


with DAG(
    "example_cause_sensors",
    schedule=None,
    description="What is to happen when there is a reason for it",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    waiting = {"timeout": timedelta(days=30), "retries": 2}
    drift = DriftSensor(task_id="wait_for_drift", model="flight_delay", **waiting)
    decay = PerformanceSensor(task_id="wait_for_decay", model="flight_delay", **waiting)
    rows = NewDataSensor(task_id="wait_for_rows", model=MODEL, minimum_rows=10_000, **waiting)
    age = ModelAgeSensor(task_id="wait_for_age", model="flight_delay", age="30 days", **waiting)
    for sensor in (drift, decay, rows, age):
        act.override(task_id=f"after_{sensor.task_id.removeprefix('wait_for_')}")(sensor.output)
