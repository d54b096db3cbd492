"""Promote a challenger because a person says so, without a canary.

It is smoke-served, somebody looks at the evidence and approves, and then it is promoted. ``promote`` and
``undo`` are the two ends of every rollout, and ``conclude`` chooses one of them by the verdicts.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG

from airflow_mlops.operators import (
    ApproveRolloutOperator,
    ConcludeRolloutOperator,
    PromoteModelOperator,
    SmokeServeOperator,
    TakeChallengerOperator,
    UndoRolloutOperator,
)

MODEL = str(Path(__file__).parents[1] / "configs" / "breast_cancer.yaml")

with DAG(
    "example_promote",
    schedule=None,
    description="A promotion by a person's word",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    rollout = TakeChallengerOperator(
        task_id="take_challenger", model=MODEL, shadow=False, weights=[], approval=True
    ).output
    smoke = SmokeServeOperator(task_id="smoke_serve", model=MODEL, rollout=rollout, retries=2)
    approve = ApproveRolloutOperator(task_id="approve", model=MODEL, rollout=rollout, retries=2)
    verdicts = [smoke.output, approve.output]
    conclude = ConcludeRolloutOperator(
        task_id="conclude",
        model=MODEL,
        rollout=rollout,
        verdicts=verdicts,
        promote_task_id="promote",
        roll_back_task_id="undo",
    )
    promote = PromoteModelOperator(task_id="promote", model=MODEL, rollout=rollout, retries=2)
    undo = UndoRolloutOperator(task_id="undo", model=MODEL, rollout=rollout, verdicts=verdicts, retries=2)
    smoke >> approve >> conclude >> [promote, undo]
