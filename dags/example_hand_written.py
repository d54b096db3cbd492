"""A hand-written Airflow DAG around the same operators that the YAML's DAGs are made of.

Write one where a model needs something between the steps that no YAML key stands for: here a team's own
look at the numbers. The model's YAML is still the place for data, gates and metrics; ``model`` names the
file, which is read when a task runs, so that parsing this DAG needs none of the package's extras.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_mlops.operators import (
    EvaluateOperator,
    GateOperator,
    RegisterModelOperator,
    SnapshotOperator,
    TrainOperator,
    ValidateDataOperator,
)

MODEL = str(Path(__file__).parents[1] / "configs" / "breast_cancer.yaml")


@task
def tell_the_team(evaluation: dict[str, Any]) -> str:
    """Results are plain JSON, so a task of your own takes them like any other value."""
    metrics = evaluation["challenger"].items()
    return ", ".join(f"{name} {estimate['value']:.3f}" for name, estimate in metrics)


with DAG(
    "example_hand_written",
    schedule=None,
    description="A training pipeline of your own, made of airflow-mlops operators",
    doc_md=__doc__,
    max_active_runs=1,
    params={"window_start": "2024-01-01", "window_end": "2024-12-22"},
    tags=["example"],
) as dag:
    snapshot = SnapshotOperator(task_id="snapshot", model=MODEL)
    data = snapshot.output
    validate = ValidateDataOperator(task_id="validate", model=MODEL, snapshot=data)

    train = TrainOperator(task_id="train", model=MODEL, snapshot=data)
    evaluate = EvaluateOperator(task_id="evaluate", model=MODEL, snapshot=data, training=train.output)
    gate = GateOperator(
        task_id="gate", model=MODEL, snapshot=data, training=train.output, evaluation=evaluate.output
    )
    register = RegisterModelOperator(
        task_id="register",
        model=MODEL,
        snapshot=data,
        training=train.output,
        evaluation=evaluate.output,
        verdict=gate.output,
    )

    validate >> train
    tell_the_team(evaluate.output)
