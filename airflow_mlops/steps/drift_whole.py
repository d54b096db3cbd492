"""The whole drift report: each column by itself and all beyond, on one page and in one summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.drift import Comparison
from airflow_mlops.core.values import Report
from airflow_mlops.steps.drift_beyond import Samples, beyond_columns
from airflow_mlops.steps.drift_page import DriftFindings, drift_page
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest


def whole_report(
    request: CollectedRequest,
    found: Comparison,
    summary: Mapping[str, Any],
    samples: Samples,
    evidently: bytes,
    backends: Backends,
    facts: Sequence[str] = (),
) -> Report:
    """Keep our page, with Evidently's beside it. ``summary`` is of the columns; the data have drifted where
    they have, or where anything beyond them has that counts. ``facts`` are for the page alone."""
    ranked = sorted(found.columns, key=lambda one: (not one.drifted, -one.times, one.column))
    beyond = beyond_columns(request, samples, [one.column for one in ranked], backends)
    drifted = bool(summary["drifted"]) or beyond.drifted
    reasons = (*summary["reasons"], *beyond.reasons)
    beside = report_key(request.run, "drift_evidently")
    backends.store.put(beside, evidently)
    body = drift_page(
        DriftFindings(
            model=request.config.model,
            champion=str(request.collected.champion),
            window=request.collected.window,
            drifted=drifted,
            reasons=reasons,
            comparison=found,
            beyond=beyond,
            pictures=samples.pictures,
            facts=tuple(facts),
            share=request.config.monitor.drift.share,
            evidently=beside.rpartition("/")[2],
        )
    )
    uri = backends.store.put(report_key(request.run, "drift"), body)
    whole = {**summary, "drifted": drifted, "reasons": list(reasons), **beyond.summary}
    return Report("drift", uri, whole)
