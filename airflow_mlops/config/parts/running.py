"""Where and how Airflow runs a model's tasks."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import Part


class Execution(Part):
    """How Airflow runs the tasks of this model."""

    retries: int = Field(1, ge=0, le=20, description="Retries of each task.")


class Compute(Part):
    """Where the heavy steps run; the Airflow worker's own Python if nothing is said."""

    python: str | None = Field(None, description="Path of another Python that has airflow-mlops.")
