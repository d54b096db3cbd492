"""Gates on the model itself: how it was fitted and how it behaves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.gate_rule import MeasuredGate
from airflow_mlops.config.parts.metrics import Metric


class OverfittingGate(MeasuredGate):
    """How much better the model is on the rows it was trained on than on the holdout."""

    type: Literal["overfitting"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    maximum: float | None = Field(
        None, description="The largest gap between training rows and holdout, in the metric's unit."
    )
    rows: int = Field(100_000, ge=100, description="Training rows that are scored at most, drawn at random.")
