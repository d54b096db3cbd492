"""Find cause: whether a report of the monitor is something that somebody may act on, kept in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.causes import CauseEvent, FoundCause, cause_data, found_subject
from airflow_mlops.core.values import Report
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import CauseRequest

MOST_FEATURES = 20
MOST_REASONS = 10
"""An event goes into Airflow's database each time; the report has all of it."""


def find_cause(request: CauseRequest, backends: Backends) -> CauseEvent | None:
    """Record the drift or decay of the window, before anybody is woken to act on it.

    None where there is none, where the data came in broken (then drift and decay are no news about the
    model), and in a backfill, which looks at a past that nobody can act on.
    """
    run, collected = request.run, request.collected
    fault = request.quality.summary.get("upstream_fault") if request.quality is not None else None
    if run.kind == "backfill" or fault or not _is_found(request.cause, request.report.summary):
        return None
    event = _event(request)
    backends.ledger.append(
        entry(
            request.config,
            run,
            "cause_found",
            event.subject,
            version=event.version,
            reasons=event.reasons,
            evidence=event.reports,
            window=collected.window,
            data=cause_data(event),
        )
    )
    return event


def _is_found(cause: FoundCause, summary: Mapping[str, Any]) -> bool:
    if cause == "drift":
        return bool(summary.get("drifted"))
    return summary.get("outcome") == "fail"


def _event(request: CauseRequest) -> CauseEvent:
    collected, report = request.collected, request.report
    scores = dict(list(_scores(request.cause, report).items())[:MOST_FEATURES])
    version = collected.champion.version
    return CauseEvent(
        model=request.config.model,
        cause=request.cause,
        subject=found_subject(request.cause, version, collected.window),
        at=request.run.now,
        window=collected.window,
        version=version,
        reports=(report.uri,),
        features=tuple(scores) if request.cause == "drift" else (),
        scores=scores,
        reasons=tuple(str(reason) for reason in report.summary.get("reasons", ())[:MOST_REASONS]),
    )


def _scores(cause: FoundCause, report: Report) -> dict[str, float]:
    """By feature, the worst first; or what was observed of the metric, and what was promised."""
    summary = report.summary
    if cause == "drift":
        return dict(_finite(summary.get("columns", {})))
    metric = str(summary.get("metric"))
    observed = {metric: summary.get("observed"), f"{metric} promised": summary.get("promise")}
    return dict(_finite(observed))


def _finite(scores: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, score in scores.items():
        if isinstance(score, (int, float)) and score == score and abs(score) != float("inf"):
            yield str(name), float(score)
