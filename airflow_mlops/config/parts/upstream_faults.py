"""Whether a feed that broke upstream is looked for, and what is done about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Column, Part

FaultSeverity = Literal["critical", "warning"]


class UpstreamFaults(Part):
    """A column that changed as feeds break and no world does (a unit, a sign, names, missing values, rows
    that came twice or not at all), against what the champion was trained on."""

    enabled: bool = Field(True, description="Whether such faults are looked for, here and by monitor.")
    severity: FaultSeverity | None = Field(
        None,
        description="critical stops a training run before it trains, and blocks retraining; warning is "
        "reported. Critical where nobody is asked before a rollout: from level 2 on.",
    )
    ignore: tuple[Column, ...] = Field(
        (), strict=False, description="Columns that changed so on purpose, until the champion knows them so."
    )
    minimum_rows: int = Field(100, ge=30, description="Fewer new rows than this are not judged.")
