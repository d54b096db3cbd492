"""Wait until MLflow's alias ``champion`` has moved, whoever moved it, and use the new version.

A promotion moves it, a rollback does, and so may a person in MLflow. The sensor asks the connection
``mlflow_default``; it holds no worker while it waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_mlops.sensors import ModelVersionSensor


@task
def score_again(champion: dict[str, Any]) -> str:
    """What needs the champion loads it by this address."""
    return f"models:/{champion['name']}/{champion['version']}"


with DAG(
    "example_model_version_sensor",
    schedule=None,
    description="What is to happen when another version is champion",
    doc_md=__doc__,
    tags=["example"],
) as dag:
    wait = ModelVersionSensor(
        task_id="wait_for_a_champion", model="breast_cancer", poke_interval=30, timeout=timedelta(days=7)
    )
    score_again(wait.output)
