"""Put an earlier champion back by a form, and tell the team.

Each model of the loader has such a form already, its DAG ``<model>.rollback``. Write one where something is
to happen beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_mlops.operators import RollbackModelOperator

MODEL = str(Path(__file__).parents[1] / "configs" / "breast_cancer.yaml")


@task
def tell_the_team(reversal: dict[str, Any], **context: Any) -> str:
    """The reason is the run's own."""
    versions = f"version {reversal['previous']} was taken out, version {reversal['version']} serves"
    return f"{versions}: {context['params']['reason']}"


with DAG(
    "example_rollback",
    schedule=None,
    description="An earlier champion is put back, and the team is told",
    doc_md=__doc__,
    max_active_runs=1,
    params={
        "version": Param(None, type=["null", "string"], description="If empty, the champion before."),
        "reason": Param(None, type="string", minLength=1, description="Kept in the ledger, with your name."),
    },
    tags=["example"],
) as dag:
    back = RollbackModelOperator(task_id="rollback", model=MODEL, retries=2)
    tell_the_team(back.output)
