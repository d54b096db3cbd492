"""Deploy a challenger in two tasks: a whole rollout in one, and the promotion of what has passed.

``DeployCanaryOperator`` takes the challenger that is pending, or is skipped where there is none. It holds no
worker while it waits. Where the verdict is against the challenger, the champion has all rows again before the
task ends, and the promotion is skipped.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Asset

from airflow_mlops.operators import AnnounceOperator, DeployCanaryOperator, PromoteModelOperator

MODEL = str(Path(__file__).parents[1] / "configs" / "breast_cancer.yaml")

with DAG(
    "example_deploy_canary",
    schedule=None,
    description="A rollout with stages of its own, and a promotion",
    doc_md=__doc__,
    max_active_runs=1,
    tags=["example"],
) as dag:
    canary = DeployCanaryOperator(
        task_id="canary", model=MODEL, shadow=True, weights=[0.05, 0.25, 1], retries=2
    )
    promote = PromoteModelOperator(task_id="promote", model=MODEL, rollout=canary.output, retries=2)
    AnnounceOperator(task_id="announce", value=promote.output, outlets=[Asset("breast_cancer/champion")])
