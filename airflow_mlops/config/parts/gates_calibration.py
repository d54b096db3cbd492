"""A gate on a model's probabilities: does what it says happen as often as it says?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field

from airflow_mlops.config.parts.gate_rule import MeasuredGate

CalibrationMeasure = Literal["expected_calibration_error", "slope", "intercept", "mean"]

CALIBRATION_OF: Mapping[str, frozenset[str]] = {
    "binary_classification": frozenset(get_args(CalibrationMeasure)),
    "multiclass_classification": frozenset(get_args(CalibrationMeasure)),
    "regression": frozenset({"mean"}),
    "forecasting": frozenset({"mean"}),
}


class CalibrationGate(MeasuredGate):
    """Whether probabilities can be taken at their word; of a regression, whether it is right on average."""

    type: Literal["calibration"]
    measure: CalibrationMeasure = Field(
        description="expected_calibration_error: how far answers are from what happened, 0 is right; slope "
        "and intercept of a logistic recalibration, 1 and 0 are right; mean: the answers' less the labels'."
    )
    bins: int = Field(
        10,
        ge=2,
        le=100,
        description="Of the calibration error and the diagram: so many, with equally many rows.",
    )
    classes: Literal["top", "each"] = Field(
        "top", description="Of several classes: the probability of the most probable one, or of each."
    )
