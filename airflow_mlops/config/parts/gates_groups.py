"""Gates on parts of the rows: is the model good, and fair, in every group?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Mistakes
from airflow_mlops.config.parts.cuts import Cuts, Groups
from airflow_mlops.config.parts.gate_rule import MeasuredGate, bounds_in_words

FairnessMeasure = Literal[
    "demographic_parity_difference", "demographic_parity_ratio",
    "equalized_odds_difference", "equalized_odds_ratio",
    "equal_opportunity_difference", "equal_opportunity_ratio",
    "false_positive_rate_difference", "false_positive_rate_ratio",
    "accuracy_score_difference", "accuracy_score_ratio",
    "mean_prediction_difference", "mean_absolute_error_difference",
]  # fmt: skip

_OF_NUMBERS = frozenset({"mean_prediction_difference", "mean_absolute_error_difference"})
FAIRNESS_OF: Mapping[str, frozenset[str]] = {
    "binary_classification": frozenset(get_args(FairnessMeasure)) - _OF_NUMBERS,
    "multiclass_classification": frozenset({"accuracy_score_difference", "accuracy_score_ratio"}),
    "regression": _OF_NUMBERS,
    "forecasting": _OF_NUMBERS,
}


class FairnessGate(MeasuredGate, Groups):
    """How far the model's decisions, or its errors, lie apart between groups of people."""

    type: Literal["fairness"]
    measure: FairnessMeasure = Field(description="By fairlearn's name and definition.")
    sensitive: Cuts = Field(
        min_length=1,
        description="The columns to compare groups by, from data.features or data.sensitive; a list in the "
        "list crosses its columns.",
    )
    minimum: float | None = Field(None, ge=0, le=1, description="The smallest ratio that is fair enough.")
    maximum: float | None = Field(None, ge=0, description="The largest difference that is fair enough.")
    minimum_of_each_class: int = Field(
        10,
        ge=2,
        description="Where a measure looks at positives (or negatives), groups with fewer are left out.",
    )

    @model_validator(mode="after")
    def _bound_fits_the_measure(self) -> Self:
        wrong, right = "minimum", "maximum"
        if self.measure.endswith("_ratio"):
            wrong, right = right, wrong
        if getattr(self, wrong) is not None:
            raise Mistakes(
                ((wrong,), f"a {self.measure.rpartition('_')[2]} has a {right}, give that instead")
            )
        return self

    @property
    def in_words(self) -> str:
        """Its measure, its columns and its bound."""
        cuts = " and ".join(" x ".join(cut) for cut in self.sensitive)
        return f"{self.measure.replace('_', ' ')} by {cuts} {bounds_in_words(*self.bounds)}"
