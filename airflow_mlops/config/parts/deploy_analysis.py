"""What a challenger is held to while it answers requests."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import ExactPeriodText, Mistakes, Part, Share
from airflow_mlops.config.parts.deploy_evidence import BusinessMetric, Predictions, Quality


class ErrorLimit(Part):
    """Requests that the challenger answers with an error."""

    max_rate: Share = Field(
        0.01, description="Errors per request that are one too many, whatever the champion's."
    )
    max_ratio: float = Field(
        1.0,
        ge=1,
        description="How many times the champion's rate of errors is borne; 1: no more of them.",
    )
    negligible_rate: Share = Field(
        0.001, description="Within this rate of errors the challenger is not compared with the champion."
    )


class LatencyLimit(Part):
    """How long the challenger takes to answer."""

    quantile: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.99,
        description="The quantile that is judged: 0.99 is what 99 of 100 requests stay within. Targets that "
        "tell no histogram know 0.5 and 0.99 only.",
    )
    max_ratio: float = Field(1.5, ge=1, description="The challenger's quantile over the champion's.")
    objective_seconds: float | None = Field(
        None,
        gt=0,
        description="What the challenger's quantile must stay within, whatever the champion's; not judged if "
        "left out.",
    )
    negligible_seconds: float = Field(
        0.05, ge=0, description="Within this it is fast enough, and not compared with the champion."
    )


class SplitRatio(Part):
    """Whether the challenger gets the share of the rows that a step asks for. A proven wrong split is a fault
    of the routing, and nothing is promoted on it."""

    tolerance: Annotated[float, Field(gt=0, le=1)] | None = Field(
        0.5,
        description="How far the share may be off, as a part of the smaller arm's share: at 0.5 a step of "
        "0.1 may be anywhere from 0.05 to 0.15, since one busy key stays on one side. null: not judged.",
    )


class Analysis(Part):
    """What a challenger must show at each step, and what ends its rollout."""

    minimum_requests: int = Field(
        200, ge=1, description="Rows the challenger must answer at each step before a verdict."
    )
    minimum_duration: ExactPeriodText | None = Field(
        None, description="How long each step lasts at least; only proven harm to callers ends it sooner."
    )
    false_alarm_rate: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.05,
        description="How often a rollout may be ended by a proof of harm that is not there: in all looks of "
        "all its stages together. Smaller is surer, and takes more rows to see real harm.",
    )
    errors: ErrorLimit = Field(default_factory=ErrorLimit)
    latency: LatencyLimit = Field(default_factory=LatencyLimit)
    split_ratio: SplitRatio = Field(default_factory=SplitRatio)
    quality: Quality | None = Field(
        None, description="Quality on the labels that land during the rollout; not judged if not given."
    )
    predictions: Predictions | None = Field(
        default_factory=Predictions,
        description="Whether a shift of the predictions is told; null: it is not.",
    )
    metrics: tuple[BusinessMetric, ...] = Field(
        (), strict=False, description="Business metrics, each a Prometheus query with bounds."
    )

    @model_validator(mode="after")
    def _metrics_have_names_of_their_own(self) -> Self:
        names = [metric.name for metric in self.metrics]
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("metrics", index, "name"), f"{name!r} is the name of an earlier metric")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if found:
            raise Mistakes(*found)
        return self
