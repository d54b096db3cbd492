"""Where and how Airflow runs a model's tasks."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import ExactPeriodText, Part


class Execution(Part):
    """How Airflow runs the tasks of this model."""

    retries: int = Field(1, ge=0, le=20, description="Retries of each task.")
    retry_delay: ExactPeriodText = Field(
        "30 seconds",
        description="The wait before the first retry; it doubles each time, up to 10 minutes.",
    )
    timeout: ExactPeriodText | None = Field(
        None,
        description="How long a task may run. The stages that wait for traffic or for a person have "
        "deploy.deadline and deploy.approval_timeout instead.",
    )
    pool: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Airflow pool of the tasks. It must exist: tasks of one that does not wait for ever.",
    )
    pool_slots: int = Field(1, ge=1, description="Slots that each task takes of the pool.")
    priority_weight: int = Field(
        1, ge=1, le=1_000_000, description="The larger, the sooner a slot, among tasks that wait for one."
    )
    queue: str | None = Field(
        None, min_length=1, max_length=256, description="Queue of the workers that run the tasks (Celery)."
    )


class Compute(Part):
    """Where the heavy steps run; the Airflow worker's own Python if nothing is said."""

    python: str | None = Field(None, description="Path of another Python that has airflow-mlops.")
