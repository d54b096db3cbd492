"""Find cause: whether a report of the monitor is something that somebody may act on, kept in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.causes import (
    CauseEvent,
    Causes,
    cause_data,
    finite,
    found_subject,
    known_causes,
)
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import CauseRequest

MOST_FEATURES = 20
MOST_SLICES = 10
MOST_REASONS = 10
"""An event goes into Airflow's database each time; the report has all of it."""


def find_cause(request: CauseRequest, backends: Backends) -> Causes | None:
    """Record the drift or decay that was found, before anybody is woken to act on it.

    None where there is none, or none that another run has not found already; where the window's data came in
    broken (then drift and decay are no news about the model); and in a backfill, which looks at a past that
    nobody can act on. Decay may show in earlier windows, whose labels have landed since: each is a cause of
    its own.
    """
    if request.run.kind == "backfill":
        return None
    others = [
        item for item in backends.ledger.entries(request.config.model) if not is_ours(item, request.run)
    ]
    known = {event.subject for event in known_causes(others, (request.cause,))}
    broken = _broken_windows(request, others)
    seen = _drift(request) if request.cause == "drift" else _decay(request)
    found = [event for event in seen if event.subject not in known and event.window not in broken]
    for event in found:
        backends.ledger.append(
            entry(
                request.config,
                request.run,
                "cause_found",
                event.subject,
                version=event.version,
                reasons=event.reasons,
                evidence=event.reports,
                window=event.window,
                data=cause_data(event),
            )
        )
    return Causes.of(request.config.model, found) if found else None


def _broken_windows(request: CauseRequest, entries: Sequence[Entry]) -> set[Window | None]:
    """Windows whose data came in broken: the present one, by its report, and earlier ones, by the ledger."""
    quality = request.quality.summary if request.quality is not None else {}
    present = {request.collected.window} if quality.get("upstream_fault") else set()
    return present | {
        item.window for item in entries if item.kind == "monitored" and item.data.get("upstream_fault")
    }


def _drift(request: CauseRequest) -> Iterator[CauseEvent]:
    summary = request.report.summary
    if not summary.get("drifted"):
        return
    looks = summary.get("looks", {})
    scores = dict(list(finite(summary.get("columns", {})))[:MOST_FEATURES])
    yield _event(
        request,
        request.collected.window,
        request.collected.champion.version,
        reasons=summary.get("reasons", ()),
        features=[name for name in scores if looks.get(name, {}).get("drifted", True)],
        scores=scores,
        slices=[str(one["slice"]) for one in summary.get("slices", ())],
    )


def _decay(request: CauseRequest) -> Iterator[CauseEvent]:
    summary = request.report.summary
    metric = str(summary.get("metric"))
    for again in summary.get("rescored", ()):
        if again["outcome"] == "fail":
            start, end = map(datetime.fromisoformat, again["window"])
            yield _event(
                request,
                Window(start, end),
                str(again["version"]),
                reasons=again.get("reasons", ()),
                scores=_observed(metric, again),
            )
    if summary.get("outcome") == "fail":
        yield _event(
            request,
            request.collected.window,
            request.collected.champion.version,
            reasons=summary.get("reasons", ()),
            scores=_observed(metric, summary),
            slices=[str(one["slice"]) for one in summary.get("slices", ()) if one.get("outcome") == "fail"],
        )


def _observed(metric: str, judged: Mapping[str, Any]) -> dict[str, float]:
    return dict(finite({metric: judged.get("observed"), f"{metric} promised": judged.get("promise")}))


def _event(
    request: CauseRequest,
    window: Window,
    version: str,
    *,
    reasons: Sequence[Any],
    scores: Mapping[str, float],
    features: Sequence[str] = (),
    slices: Sequence[str] = (),
) -> CauseEvent:
    return CauseEvent(
        model=request.config.model,
        cause=request.cause,
        subject=found_subject(request.cause, version, window),
        at=request.run.now,
        window=window,
        version=version,
        reports=(request.report.uri,),
        features=tuple(features),
        scores=scores,
        slices=tuple(slices[:MOST_SLICES]),
        reasons=tuple(str(reason) for reason in reasons[:MOST_REASONS]),
    )
