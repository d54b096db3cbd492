"""Look at a challenger in the shadow, and end there: nobody ever sees its answers.

The ledger keeps what the shadow found. ``UndoRolloutOperator`` closes the rollout whatever became of it; its
``reason`` says that this was meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_mlops.operators import (
    ShadowOperator,
    SmokeServeOperator,
    TakeChallengerOperator,
    UndoRolloutOperator,
)

MODEL = str(Path(__file__).parents[1] / "configs" / "breast_cancer.yaml")


@task
def tell_the_team(verdict: dict[str, Any]) -> str:
    """The verdict in words."""
    return f"{verdict['outcome']}: {'; '.join(verdict['reasons'])}"


with DAG(
    "example_shadow",
    schedule=None,
    description="A challenger in the shadow, to be looked at only",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    rollout = TakeChallengerOperator(task_id="take_challenger", model=MODEL, approval=False).output
    smoke = SmokeServeOperator(task_id="smoke_serve", model=MODEL, rollout=rollout, retries=2)
    shadow = ShadowOperator(task_id="shadow", model=MODEL, rollout=rollout, retries=2)
    verdicts = [smoke.output, shadow.output]
    undo = UndoRolloutOperator(
        task_id="undo",
        model=MODEL,
        rollout=rollout,
        verdicts=verdicts,
        reason="it was only to be looked at",
        retries=2,
    )
    smoke >> shadow >> undo
    tell_the_team(shadow.output)
