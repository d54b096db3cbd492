"""The parts of a window's findings, from the summaries of its checks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from airflow_mlops.core.values import Report
from airflow_mlops.steps.found_parts import found_parts
from airflow_mlops.steps.requests import DecideRequest


def request(
    drift: dict[str, Any], quality: dict[str, Any], performance: dict[str, Any] | None
) -> DecideRequest:
    reports = {
        "drift": Report("drift", "u", drift),
        "quality": Report("data_quality", "u", quality),
        "performance": None if performance is None else Report("performance", "u", performance),
    }
    return cast("DecideRequest", SimpleNamespace(**reports))


def test_parts_are_named_by_whichever_check_found_them() -> None:
    drift = {
        "looks": {"age": {"drifted": True}, "plan": {"drifted": False}},
        "prediction_drift": {"drifted": True, "psi": 0.3},
        "target_drift": None,
        "multivariate": [{"name": "all features", "drifted": True}],
        "warnings": ["3 rows"],
        "volume": {"new_level": "3 rows"},
    }
    quality = {
        "upstream_fault": "age is null",
        "faults": [{"columns": ["age", "spend"]}, {"columns": ["age"]}],
    }
    assert found_parts(request(drift, quality, {"coverage": 0.5})) == {
        "drifted_columns": ["age"],
        "drifted_beyond": ["all features", "predictions"],
        "prediction_psi": 0.3,
        "feed_warnings": ["3 rows"],
        "new_volume_level": "3 rows",
        "fault_columns": ["age", "spend"],
        "coverage": 0.5,
    }


def test_what_was_not_looked_at_has_no_parts_and_a_fault_that_blocks_nothing_none_of_its_own() -> None:
    quality = {"upstream_fault": None, "faults": [{"columns": ["age"]}]}
    assert found_parts(request({"drifted": False, "columns": {}}, quality, None)) == {
        "drifted_columns": [],
        "drifted_beyond": [],
        "prediction_psi": None,
        "feed_warnings": None,
        "new_volume_level": None,
        "fault_columns": [],
        "coverage": None,
    }
