"""Data quality: what must hold of the features that the endpoint was really sent, and if a feed broke."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Expectation, Report
from airflow_mlops.steps.judged_rows import judged_of
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.upstream_faults import critical_faults, faults_in_window
from airflow_mlops.steps.validate import at_fault, expectations_of, keep_report


def data_quality(request: CollectedRequest, backends: Backends) -> Report:
    """Check the features, and hold them against the champion's reference; ``summary["upstream_fault"]`` names
    the column and what a critical expectation or a look for upstream faults found, which blocks retraining.
    The check itself does not fail the run: the champion goes on serving.
    """
    config, judged = request.config, judged_of(request.config, request.collected)
    file, checker = backends.datasets.file(judged.uri), backends.file_checker()
    there = set(checker.columns(file))
    asked = [name for name in judged.features if name in there]
    unasked = set(config.data.features) - set(judged.features)
    lacking = [name for name in config.columns if name not in there or name in unasked]
    wanted = [
        item
        for item in expectations_of(config)
        if item.kwargs.get("column") in asked and not _is_about(item, lacking)
    ]
    checked = checker.check_file(file, wanted)
    compared = None
    if config.validation.upstream_faults.enabled:
        compared = faults_in_window(config, request.collected, backends)
    report = keep_report(
        config, request.run, "data_quality", checked, backends, compared=compared, facts=judged.said
    )
    faults = [str(item) for item in checked.expectations if at_fault(item, "critical")]
    faults += map(str, critical_faults(config, compared))
    return replace(report, summary={**report.summary, "upstream_fault": "; ".join(faults) or None})


def _is_about(item: Expectation, names: Sequence[str]) -> bool:
    """Whether its ``row_condition`` names one of these columns, such as the label, which no request has."""
    condition = str(item.kwargs.get("row_condition") or "")
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", condition) for name in names)
