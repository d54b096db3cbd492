"""What must not be found in the features: the label, the future, rows that stand on both sides."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Column, Part

LeakageSeverity = Literal["critical", "warning"]
_SEVERITY = "critical stops the run; warning is reported."


class LabelLeakage(Part):
    """A feature that alone tells the label, as a copy of it or of what follows from it."""

    enabled: bool = Field(True, description="Whether it is looked for.")
    severity: LeakageSeverity = Field("critical", description=_SEVERITY)
    threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="How much of the error of guessing one feature alone may take away. Without it 0.98 for "
        "classes, 0.999 for numbers and 0.9999 for a forecast, where yesterday's value may be close.",
    )
    sample_rows: int = Field(100_000, ge=1_000, description="Rows that are looked at, drawn at random.")


class FutureLeakage(Part):
    """A value that was known (``data.known_at``) only after the time of its row."""

    enabled: bool = Field(True, description="Whether it is looked for; only where data.known_at is given.")
    severity: LeakageSeverity = Field("critical", description=_SEVERITY)


class TwinLeakage(Part):
    """Holdout rows with an exact twin in training, features and label, beyond what is usual in these data."""

    enabled: bool = Field(True, description="Whether they are looked for.")
    severity: LeakageSeverity = Field("critical", description=_SEVERITY)
    threshold: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Share of holdout rows with a twin, beyond one and a half times what a part of training "
        "has in the rest of it.",
    )
    sample_rows: int = Field(
        500_000, ge=1_000, description="Rows of each side that are looked at, the newest ones."
    )


class Leakage(Part):
    """What is looked for on every snapshot before anything is trained."""

    label: LabelLeakage = Field(default_factory=LabelLeakage)
    future: FutureLeakage = Field(default_factory=FutureLeakage)
    twins: TwinLeakage = Field(default_factory=TwinLeakage)
    ignore: tuple[Column, ...] = Field(
        (), strict=False, description="Features that may tell the label, or are known later, on purpose."
    )
