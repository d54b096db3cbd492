"""What is watched while the champion serves."""

from __future__ import annotations

from pydantic import Field

from airflow_mlops.config.parts.base import CronText, Part, PeriodText
from airflow_mlops.config.parts.monitor_drift import Drift
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.config.parts.monitor_performance import Performance


class Monitor(Part):
    """What is watched while the champion serves."""

    cron: CronText | None = Field(None, description="When to look; the interval is the window.")
    window: PeriodText = Field("1 day", description="The window of a run that has no interval.")
    labels: Labels | None = None
    drift: Drift = Field(default_factory=Drift)
    performance: Performance | None = None
