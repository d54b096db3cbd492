"""Gates on what a model takes: time to answer, space on disk, memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from airflow_mlops.config.parts.gate_rule import MeasuredGate, bounds_in_words


def _percentile(value: object) -> object:
    """A literal compares by value, and ``99 == 99.0``."""
    if type(value) is not int:
        raise ValueError(f"must be 50, 95 or 99, not {value!r}")
    return value


class LatencyGate(MeasuredGate):
    """How long a prediction takes in this process, without the network and the server around it."""

    type: Literal["latency"]
    maximum: float | None = Field(None, gt=0, description="Milliseconds that a call may take.")
    percentile: Annotated[Literal[50, 95, 99], BeforeValidator(_percentile)] = Field(
        95, description="Of the calls, this many in a hundred are as fast or faster."
    )
    rows: int = Field(
        100, ge=1, le=100_000, description="Rows of a batch. Calls of one row are always measured."
    )
    calls: int = Field(500, ge=20, le=100_000, description="Calls of each kind that are timed.")

    @property
    def in_words(self) -> str:
        kinds = "1 row" if self.rows == 1 else f"1 and of {self.rows} rows"
        bounds = bounds_in_words(*self.bounds)
        return f"{self.called}: {self.percentile} % of the calls of {kinds} take {bounds} ms"


class SizeGate(MeasuredGate):
    """How large the model's file is."""

    type: Literal["size"]
    maximum: float | None = Field(None, gt=0, description="Megabytes (of 1,000,000 bytes).")

    @property
    def in_words(self) -> str:
        return f"{self.called}: the model's file has {bounds_in_words(*self.bounds)} MB"


class MemoryGate(MeasuredGate):
    """How much memory a process takes that loads the model and predicts with it, beyond its libraries."""

    type: Literal["memory"]
    maximum: float | None = Field(None, gt=0, description="Megabytes (of 1,000,000 bytes).")
    rows: int = Field(
        1_000,
        ge=1,
        le=1_000_000,
        description="Rows that are predicted at once, as far as the holdout has them.",
    )

    @property
    def in_words(self) -> str:
        bounds = bounds_in_words(*self.bounds)
        return f"{self.called}: loading and predicting {self.rows} rows take {bounds} MB"
