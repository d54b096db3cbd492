"""What a window's checks found, part by part: what tells one finding from another in alerts and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.steps.requests import DecideRequest


def found_parts(request: DecideRequest) -> dict[str, Any]:
    """For the window's entry in the ledger: columns that drifted, columns that came in broken, and the share
    of the answers that have labels."""
    performance = request.performance.summary if request.performance else {}
    return {
        "drifted_columns": _drifted(request.drift.summary, request.config.monitor.drift.threshold),
        "fault_columns": _broken(request.quality.summary),
        "coverage": performance.get("coverage"),
    }


def _drifted(summary: Mapping[str, Any], threshold: float) -> list[str]:
    looks = summary.get("looks")
    if looks is not None:
        return sorted(column for column, look in looks.items() if look["drifted"])
    return sorted(column for column, score in summary.get("columns", {}).items() if score >= threshold)


def _broken(summary: Mapping[str, Any]) -> list[str]:
    """Only where the fault blocks retraining: one that is a warning is in the report."""
    if not summary.get("upstream_fault"):
        return []
    return sorted({str(column) for fault in summary.get("faults", ()) for column in fault["columns"]})
