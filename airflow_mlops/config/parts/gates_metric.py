"""Gates on the metrics of the evaluation: the challenger's own, and its difference from the champion."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.gate_rule import (
    GateRule,
    bounds_in_words,
    refuse_crossed_bounds,
    refuse_no_bound,
)
from airflow_mlops.config.parts.metrics import Metric


class ThresholdGate(GateRule):
    """The challenger's metric must reach a value."""

    type: Literal["threshold"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    minimum: float | None = Field(None, description="The metric must be at least this.")
    maximum: float | None = Field(None, description="The metric must be at most this.")
    decide_by: Literal["value", "interval"] = Field(
        "value",
        description="value goes by the number; interval asks that the whole interval is within the bounds.",
    )

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        refuse_no_bound(self.minimum, self.maximum)
        refuse_crossed_bounds(self.minimum, self.maximum)
        return self

    @property
    def judges_first(self) -> bool:
        return True

    @property
    def in_words(self) -> str:
        return f"`{self.metric}` {bounds_in_words(self.minimum, self.maximum)}"


class ChampionGate(GateRule):
    """The challenger against the champion on the same rows: no worse than ``margin``, or better by
    ``improvement``."""

    type: Literal["champion"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    margin: float | None = Field(
        None,
        ge=0,
        description="How much worse is still as good, in the metric's unit; 0 asks for proof of no loss, "
        "which holds nearly every challenger.",
    )
    improvement: float | None = Field(
        None, ge=0, description="How much better it must be, in the metric's unit; instead of a margin."
    )
    relative: bool = Field(
        False, description="Margin or improvement is a share of the champion's value: 0.05 is 5 %."
    )
    on_tie: Literal["newer", "champion"] = Field(
        "newer",
        description="No worse, but not proven better: the newer model wins, or the champion stays.",
    )
    decide_by: Literal["interval", "value"] = Field(
        "interval",
        description="interval asks for proof by a paired test; value goes by the difference alone, noise "
        "and all.",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.margin is None) == (self.improvement is None):
            raise ValueError("give either 'margin' (no worse) or 'improvement' (better)")
        return self

    @property
    def in_words(self) -> str:
        asked = self.margin if self.improvement is None else self.improvement
        how = f"{100 * (asked or 0):g} %" if self.relative else f"{asked:g}"
        if self.improvement is not None:
            return f"`{self.metric}` better than the champion's by {how}"
        tie = ", and better on a tie" if self.on_tie == "champion" else ""
        return f"`{self.metric}` no worse than the champion's by more than {how}{tie}"
