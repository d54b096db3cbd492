"""Drift: what is compared and how, what comes of it, and what it amounts to."""

from airflow_mlops.core.drift.comparison import (
    ColumnFacts,
    Comparison,
    SliceFacts,
    held_to_rate,
    worst_of_each,
)
from airflow_mlops.core.drift.plan import ColumnPlan, DriftMethod, DriftPlan, SlicePlan, method_for
from airflow_mlops.core.drift.verdict import COLUMNS_NAMED, DriftVerdict, drift_verdict

__all__ = [
    "COLUMNS_NAMED",
    "ColumnFacts",
    "ColumnPlan",
    "Comparison",
    "DriftMethod",
    "DriftPlan",
    "DriftVerdict",
    "SliceFacts",
    "SlicePlan",
    "drift_verdict",
    "held_to_rate",
    "method_for",
    "worst_of_each",
]
