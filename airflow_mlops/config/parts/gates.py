"""What a challenger must prove before it is registered."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, Part
from airflow_mlops.config.parts.metrics import Metric


class ThresholdGate(Part):
    """The challenger's metric must reach a value."""

    type: Literal["threshold"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    minimum: float | None = Field(None, description="The metric must be at least this.")
    maximum: float | None = Field(None, description="The metric must be at most this.")

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("give 'minimum' or 'maximum'")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise Mistakes((("minimum",), "'minimum' is above 'maximum': nothing can pass"))
        return self


class ChampionGate(Part):
    """The challenger must not be worse than the champion by more than ``margin``, on the same rows."""

    type: Literal["champion"]
    metric: Metric = Field(description="One of evaluation.metrics.")
    margin: float = Field(
        ge=0,
        description="How much worse is still as good, in the metric's unit; 0 asks for proof of no loss, "
        "which holds nearly every challenger.",
    )


Gate = Annotated[ThresholdGate | ChampionGate, Field(discriminator="type")]


class Gates(Part):
    """What a challenger must pass before it is registered. There is no empty list of gates."""

    rules: tuple[Gate, ...] = Field(min_length=1, strict=False, description="Every rule must pass.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer holdout rows than this are inconclusive, whatever the numbers."
    )
    bootstrap: Literal["thresholds_only", "refuse"] = Field(
        "thresholds_only",
        description="A first model has no champion to beat: judge it by thresholds, or refuse it.",
    )
