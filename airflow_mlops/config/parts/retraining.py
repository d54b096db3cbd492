"""When monitoring may start a training run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from airflow_mlops.config.parts.base import Mistakes, Part, PeriodText

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
