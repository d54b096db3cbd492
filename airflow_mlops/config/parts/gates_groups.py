"""Gates on parts of the rows: is the model good, and fair, in every group?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, whole
from airflow_mlops.config.parts.cuts import Cuts, Groups
from airflow_mlops.config.parts.gate_rule import BoundedGate, MeasuredGate, bounds_in_words
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.core.gates.bounds import DecideBy
from airflow_mlops.core.gates.multiple import Correction

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


class SlicesGate(BoundedGate, Groups):
    """A metric in parts of the holdout, those that are named and those that a search finds, corrected for how
    many were looked at."""

    type: Literal["slices"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    by: Cuts = Field(
        (), description="The columns whose groups are slices; a list in the list crosses its columns."
    )
    automatic: bool = Field(
        False, description="Look at the groups of every feature as well, and at pairs of the worst features."
    )
    depth: Annotated[Literal[1, 2], BeforeValidator(whole)] = Field(
        2, description="Of the automatic search: groups of one feature only, or pairs as well."
    )
    minimum: float | None = Field(None, description="The metric must be at least this in every slice.")
    maximum: float | None = Field(None, description="The metric must be at most this in every slice.")
    margin: float | None = Field(
        None,
        ge=0,
        description="Instead of bounds: how much worse than the champion on the same rows is still as good.",
    )
    minimum_rows: int = Field(100, ge=10, description="Smaller slices are not looked at.")
    minimum_of_each_class: int = Field(
        10, ge=2, description="Of two classes: slices with fewer rows of either are not looked at."
    )
    correction: Correction = Field(
        "holm",
        description="holm: a false accusation anywhere is as rare as the level says; benjamini_hochberg: so "
        "is the share of false ones among the accusations; none: every slice by itself.",
    )
    decide_by: DecideBy = Field(
        "proven_harm",
        description="proven_harm fails what is proven to be beyond the bound; interval asks for proof in "
        "every slice, and is inconclusive without; value goes by the numbers alone, noise and all.",
    )

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        bounded = (self.minimum, self.maximum) != (None, None)
        if self.margin is None and not bounded:
            raise ValueError("give 'minimum' or 'maximum', or 'margin'")
        if self.margin is not None and bounded:
            raise Mistakes(
                (("margin",), "is against the champion: give it, or bounds, in two gates for both")
            )
        if not self.by and not self.automatic:
            raise ValueError("give 'by', the columns to cut by, or 'automatic: true'")
        return self

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The margin is the most that may be lost."""
        return (self.minimum, self.maximum) if self.margin is None else (None, self.margin)

    @property
    def against_champion(self) -> bool:
        return self.margin is not None

    @property
    def in_words(self) -> str:
        """Its metric, its slices and its bound."""
        slices = [" x ".join(cut) for cut in self.by] + ["whatever is found"] * self.automatic
        asked = bounds_in_words(self.minimum, self.maximum)
        if self.margin is not None:
            asked = f"no worse than the champion's by more than {self.margin:g}"
        return f"`{self.metric}` {asked} in every slice by {' and '.join(slices)}"


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
