"""What a challenger is held to while it answers requests."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import ExactPeriodText, Part, Share


class ErrorLimit(Part):
    """Requests that the challenger answers with an error."""

    max_rate: Share = Field(0.01, description="Errors per row that are one too many.")


class LatencyLimit(Part):
    """How long the challenger takes to answer."""

    max_ratio: float = Field(3.0, gt=1, description="The challenger's p99 latency over the champion's.")


class Analysis(Part):
    """What a challenger must show at each step, and what ends its rollout."""

    minimum_requests: int = Field(
        200, ge=1, description="Rows the challenger must answer at each step before a verdict."
    )
    minimum_duration: ExactPeriodText | None = Field(
        None, description="How long each step lasts at least; only proven errors end it sooner."
    )
    errors: ErrorLimit = Field(default_factory=ErrorLimit)
    latency: LatencyLimit = Field(default_factory=LatencyLimit)
