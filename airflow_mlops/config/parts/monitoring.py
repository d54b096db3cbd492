"""What is watched while the champion serves, and when that starts a training run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import CronText, Mistakes, Part, PeriodText, Share
from airflow_mlops.config.parts.data import Source
from airflow_mlops.config.parts.metrics import Metric


class Labels(Part):
    """Where true labels land later."""

    source: Source


class Drift(Part):
    """How the endpoint's inputs are compared with what the champion was trained on."""

    method: Literal["psi", "jensenshannon", "wasserstein"] = Field(
        "psi", description="How far a column moved; with wasserstein, categories go by Jensen-Shannon."
    )
    threshold: float = Field(0.1, gt=0, description="A column at or above this score has drifted.")
    share: Share = Field(0.3, description="Share of drifted columns that makes the data drifted.")
    minimum_rows: int = Field(
        200, ge=1, description="Fewer rows in a window are not compared: by chance alone they look drifted."
    )
    sample_rows: int = Field(
        20_000, ge=100, le=100_000, description="Rows of each side that are compared, drawn at random."
    )


class Performance(Part):
    """How the answers are held against the labels that have landed."""

    metric: Metric = Field(description="One of evaluation.metrics.")
    tolerance: float = Field(
        0.02, ge=0, description="How far below the promise at promotion the metric may fall."
    )
    minimum_labels: int = Field(200, ge=1, description="Fewer landed labels are inconclusive.")


class Monitor(Part):
    """What is watched while the champion serves."""

    cron: CronText | None = Field(None, description="When to look; the interval is the window.")
    window: PeriodText = Field("1 day", description="The window of a run that has no interval.")
    labels: Labels | None = None
    drift: Drift = Field(default_factory=Drift)
    performance: Performance | None = None


Cause = Literal["drift", "decay"]


class Retraining(Part):
    """When monitoring may start a training run (level 3)."""

    enabled: bool | None = Field(None, description="On at level 3, off below.")
    causes: tuple[Cause, ...] = Field(
        ("drift", "decay"),
        strict=False,
        min_length=1,
        description="What may start training; left out, all that monitor can see.",
    )
    k: int = Field(1, ge=1, description="So many of the last n windows must be bad, the latest too.")
    n: int = Field(1, ge=1, description="How many windows k is counted among, the latest included.")
    cooldown: PeriodText = Field("1 day", description="No request sooner than this after the last.")
    budget: int = Field(12, ge=1, description="Requests allowed per budget_period.")
    budget_period: PeriodText = Field("365 days", description="The stretch that the budget is for.")

    @model_validator(mode="after")
    def _k_of_n(self) -> Self:
        if self.k > self.n:
            raise Mistakes((("k",), f"k ({self.k}) cannot be larger than n ({self.n})"))
        return self
