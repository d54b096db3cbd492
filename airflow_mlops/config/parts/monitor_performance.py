"""How served answers are held against the promise made at promotion."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import Part
from airflow_mlops.config.parts.metrics import Metric


class Performance(Part):
    """How the answers are held against the labels that have landed."""

    metric: Metric = Field(description="One of evaluation.metrics.")
    tolerance: float = Field(
        0.02, ge=0, description="How far below the promise at promotion the metric may fall."
    )
    minimum_labels: int = Field(200, ge=1, description="Fewer landed labels are inconclusive.")
