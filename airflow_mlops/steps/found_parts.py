"""What a window's checks found, part by part: what tells one finding from another in alerts and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.steps.requests import DecideRequest


def found_parts(request: DecideRequest) -> dict[str, Any]:
    """For the window's entry in the ledger: columns that drifted and what did beyond single columns, columns
    that came in broken, rows that were few or late, and the share of the answers that have labels."""
    drift, performance = request.drift.summary, request.performance.summary if request.performance else {}
    return {
        "drifted_columns": _drifted(drift),
        "drifted_beyond": _drifted_beyond(drift),
        "prediction_psi": (drift.get("prediction_drift") or {}).get("psi"),
        "feed_warnings": drift.get("warnings"),
        "new_volume_level": (drift.get("volume") or {}).get("new_level"),
        "fault_columns": _broken(request.quality.summary),
        "coverage": performance.get("coverage"),
    }


def _drifted(summary: Mapping[str, Any]) -> list[str]:
    return sorted(column for column, look in summary.get("looks", {}).items() if look["drifted"])


def _drifted_beyond(summary: Mapping[str, Any]) -> list[str]:
    """Predictions, labels, and groups of features by their name."""
    single = {"predictions": summary.get("prediction_drift"), "labels": summary.get("target_drift")}
    together = {str(one["name"]): one for one in summary.get("multivariate", ())}
    return sorted(name for name, shift in {**single, **together}.items() if shift and shift["drifted"])


def _broken(summary: Mapping[str, Any]) -> list[str]:
    """Only where the fault blocks retraining: one that is a warning is in the report."""
    if not summary.get("upstream_fault"):
        return []
    return sorted({str(column) for fault in summary.get("faults", ()) for column in fault["columns"]})
