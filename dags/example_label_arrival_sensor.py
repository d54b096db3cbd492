"""Wait until nine in ten answers of last week have a label, then hold them against the promise.

Labels land days after the answers. ``LabelArrivalSensor`` looks every hour, holds no worker in between, and
goes on at its deadline with what has landed; ``reached`` in its result says which it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_mlops.operators import CollectOperator, PerformanceOperator
from airflow_mlops.sensors import LabelArrivalSensor

MODEL = str(Path(__file__).parents[1] / "configs" / "flight_delay.yaml")

with DAG(
    "example_label_arrival_sensor",
    schedule=CronDataIntervalTimetable("@weekly", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    description="Performance of a week, once its labels are there",
    doc_md=__doc__,
    tags=["example"],
) as dag:
    wait = LabelArrivalSensor(
        task_id="wait_for_labels",
        model=MODEL,
        coverage=0.9,
        deadline=timedelta(days=21),
        poke_interval=3600,
    )
    collected = CollectOperator(task_id="collect", model=MODEL)
    performance = PerformanceOperator(task_id="performance", model=MODEL, collected=collected.output)
    wait >> collected
