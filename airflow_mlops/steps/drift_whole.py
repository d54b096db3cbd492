"""The whole drift report: each column by itself and all beyond, on one page and in one summary."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.drift import Comparison, DriftVerdict
from airflow_mlops.core.values import Report
from airflow_mlops.steps.drift_beyond import Samples, beyond_columns
from airflow_mlops.steps.drift_page import DriftFindings, drift_page
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest


def whole_report(
    request: CollectedRequest,
    compared: Comparison,
    verdict: DriftVerdict,
    drawn_rows: Samples,
    evidently: bytes,
    backends: Backends,
    *,
    said: Sequence[str] = (),
    facts: Sequence[str] = (),
) -> Report:
    """Keep our page, with Evidently's beside it. The data have drifted where the columns have, or anything
    beyond them that counts. ``said`` are more reasons than the verdict's, ``facts`` are for the page alone."""
    ranked = sorted(compared.columns, key=lambda one: (not one.drifted, -one.times, one.column))
    beyond = beyond_columns(request, drawn_rows, [one.column for one in ranked], backends)
    drifted, reasons = verdict.drifted or beyond.drifted, (*verdict.reasons, *said, *beyond.reasons)
    beside = report_key(request.run, "drift_evidently")
    backends.store.put(beside, evidently)
    body = drift_page(
        DriftFindings(
            model=request.config.model,
            champion=str(request.collected.champion),
            window=request.collected.window,
            drifted=drifted,
            reasons=reasons,
            comparison=compared,
            beyond=beyond,
            pictures=drawn_rows.pictures,
            facts=tuple(facts),
            evidently=beside.rpartition("/")[2],
        )
    )
    uri = backends.store.put(report_key(request.run, "drift"), body)
    return Report("drift", uri, {"drifted": drifted, "reasons": list(reasons), **beyond.summary})
