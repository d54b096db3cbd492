"""Data quality: the expectations on the features that the endpoint was really sent."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Report
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.validate import at_fault, expectations_of, keep_report


def data_quality(request: CollectedRequest, backends: Backends) -> Report:
    """Check the features; ``summary["upstream_fault"]`` names what a critical expectation found, which
    blocks retraining. The check itself does not fail the run: the champion goes on serving.
    """
    config = request.config
    file, checker = backends.datasets.file(request.collected.uri), backends.file_checker()
    there = set(checker.columns(file))
    # A feature that the YAML has gained since the champion was trained is not in the log, and no fault.
    asked = [name for name in config.data.features if name in there]
    wanted = [item for item in expectations_of(config) if item.kwargs.get("column") in asked]
    checked = checker.check_file(file, wanted)
    report = keep_report(config, request.run, "data_quality", checked, backends)
    faults = [str(item) for item in checked.expectations if at_fault(item, "critical")]
    return replace(report, summary={**report.summary, "upstream_fault": "; ".join(faults) or None})
