"""Wait until a rollout has ended, whoever runs it, and act on how.

Here it is that of the model's own DAG ``breast_cancer.deploy``. The sensor reads the ledger alone, so the
model's name is enough. It holds no worker while it waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_mlops.sensors import RolloutSensor


@task
def tell_the_team(end: dict[str, Any]) -> str:
    """How it ended, who serves now, and why."""
    ended = f"version {end['version']} was {end['ended'].replace('_', ' ')}, version {end['champion']} serves"
    return f"{ended}: {'; '.join(end['reasons'])}"


with DAG(
    "example_rollout_sensor",
    schedule=None,
    description="What is to happen when a rollout is over",
    doc_md=__doc__,
    tags=["example"],
) as dag:
    wait = RolloutSensor(
        task_id="wait_for_the_end", model="breast_cancer", poke_interval=30, timeout=timedelta(days=2)
    )
    tell_the_team(wait.output)
