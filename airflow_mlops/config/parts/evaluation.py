"""How a model is measured."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import Part
from airflow_mlops.config.parts.metrics import Metric


class EvaluationConfig(Part):
    """Which metrics are computed on the holdout."""

    metrics: tuple[Metric, ...] = Field(
        min_length=1, strict=False, description="Computed for challenger and champion on the same rows."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
