"""What a rollout is judged by beyond errors and latency: labels, predictions and business metrics."""

from __future__ import annotations

import difflib
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from airflow_mlops.config.parts.base import ExactPeriodText, Name, Part
from airflow_mlops.config.parts.metrics import Metric
from airflow_mlops.core.queries import PLACEHOLDERS, Bounds, unknown_placeholders


class Quality(Part):
    """The challenger against the champion on the rows whose labels have landed (``monitor.labels``)."""

    metric: Metric = Field(
        description="One of evaluation.metrics that is a mean over rows, such as log_loss or accuracy."
    )
    margin: float = Field(gt=0, description="How much worse the challenger may be, in the metric's unit.")
    minimum_labels: int = Field(
        200, ge=100, description="Fewer labelled rows (of the version that has fewer) are not judged."
    )
    required: bool = Field(
        False,
        description="Too few labels hold the rollout. Otherwise it goes on, and says that quality was not "
        "judged. In an ab they are always required.",
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.95,
        description="How sure it must be that the challenger is no worse than the margin allows, at all "
        "looks of all stages together. How sure of harm, false_alarm_rate says.",
    )
    look_every: ExactPeriodText = Field(
        "5 minutes", description="How often log and labels are read while a stage lasts."
    )


class Predictions(Part):
    """The spread of the challenger's predictions beside the champion's: a warning, never a verdict."""

    max_psi: float = Field(
        0.25, gt=0, description="Population stability index, beyond what chance makes, that is told."
    )


class BusinessMetric(Part):
    """A number that a Prometheus query gives while the challenger answers requests."""

    name: Name = Field(description="What verdict and report call it.")
    query: str = Field(
        min_length=1,
        max_length=10_000,
        description="PromQL that gives one number. A name after a dollar sign stands for a fact of the "
        "rollout: " + "; ".join(f"${name}, {told}" for name, told in PLACEHOLDERS.items()) + ".",
    )
    minimum: float | None = Field(None, description="Less is beyond the bound.")
    maximum: float | None = Field(None, description="More is beyond the bound.")
    breaches: int = Field(
        3, ge=1, description="Looks in a row beyond the bound that fail the stage; fewer hold it."
    )
    look_every: ExactPeriodText = Field("1 minute", description="How often it is asked for.")
    in_shadow: bool = Field(
        False, description="Judged in shadow as well, where no user sees the challenger's answers."
    )
    conn_id: str = Field("prometheus_default", min_length=1, description="Airflow connection of Prometheus.")

    @field_validator("query")
    @classmethod
    def _known_placeholders(cls, query: str) -> str:
        for name in unknown_placeholders(query):
            near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"did you mean ${near[0]}? " if near else ""
            known = ", ".join(f"${one}" for one in PLACEHOLDERS)
            raise ValueError(f"${name} is no placeholder: {hint}There are {known}; $$ is a dollar sign")
        return query

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("give 'minimum', 'maximum' or both, or it decides nothing")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum:g}) is above maximum ({self.maximum:g})")
        return self

    @property
    def bounds(self) -> Bounds:
        """What it is to the judge."""
        return Bounds(self.name, self.minimum, self.maximum, self.breaches)
