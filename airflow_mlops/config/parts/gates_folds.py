"""A gate on the cross-validation of the evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.gate_rule import MeasuredGate
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.core.gates.bounds import DecideBy


class CrossValidationGate(MeasuredGate):
    """A metric over the folds of evaluation.cross_validation: their mean, or each of them."""

    type: Literal["cross_validation"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    of: Literal["mean", "each"] = Field(
        "mean", description="mean holds the folds' mean against the bounds, each also every fold by itself."
    )
    decide_by: DecideBy = Field(
        "value",
        description="value goes by the number alone; interval asks for proof and may be inconclusive; "
        "proven_harm fails only what is proven to be beyond the bound.",
    )
