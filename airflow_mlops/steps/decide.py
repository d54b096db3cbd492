"""Decide: does what was found call for retraining, and does the policy allow it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.retraining import (
    CauseCheck,
    Decision,
    Made,
    Policy,
    Situation,
    WindowSignals,
    check_causes,
    history_of,
    standing_causes,
)
from airflow_mlops.core.retraining import decide as apply_policy
from airflow_mlops.core.values import Report
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.decision_page import decision_page
from airflow_mlops.steps.found_parts import found_parts
from airflow_mlops.steps.made import made_data, made_of, made_today
from airflow_mlops.steps.record import entry, is_ours, report_key
from airflow_mlops.steps.requests import Decided, DecideRequest
from airflow_mlops.steps.retraining_policy import retraining_policy
from airflow_mlops.steps.waiting_request import waiting_request

_OF_PERFORMANCE = ("labels", "coverage", "expected_coverage", "estimated", "detectors", "slices", "score")


def decide(request: DecideRequest, backends: Backends) -> Decided:
    """Weigh this window with the earlier ones, record what was seen and decided, and file the request.

    Whether the cause of the last retraining is gone is checked first: the circuit breaker wants to know.
    """
    config, window = request.config, request.collected.window
    request_id = content_hash([config.model, window.end.isoformat()])[:16]
    policy = retraining_policy(config)
    today = made_today(config, backends)
    found = _look(request, policy, today, request_id, backends)
    decision = apply_policy(policy, found.situation)
    report = _report(request, policy, found, decision, backends)
    decided = Decided(
        decision=decision,
        window=window,
        request_id=request_id if decision.action == "retrain" else None,
        summary=_summary(request),
        checks=found.checks,
        evidence={one.kind: one.uri for one in _reports(request)},
        report=report,
        waiting=None if decision.action == "retrain" else found.waiting,
    )
    _record(request, found, decided, request_id, today, backends)
    return decided


@dataclass(frozen=True, slots=True)
class _Found:
    situation: Situation
    checks: tuple[CauseCheck, ...]
    waiting: Decided | None


def _look(request: DecideRequest, policy: Policy, today: Made, request_id: str, backends: Backends) -> _Found:
    """What the decision rests on. What this run's own first try wrote is left out."""
    window = request.collected.window
    entries = [
        item
        for item in backends.ledger.entries(request.config.model)
        if not (item.kind == "cause_checked" and is_ours(item, request.run))
    ]
    latest = signals_of(request)
    relabelled = {item.window.end: item for item in entries if item.kind == "rescored" and item.window}
    earlier = [
        signals_of_entry(item, relabelled.get(item.window.end))
        for item in entries
        if item.kind == "monitored" and item.window is not None and item.window.end < window.end
    ]
    latest = replace(latest, late_decay=_late_decay(request, latest, earlier))
    champion = made_of(request.collected.champion, backends)
    history = history_of(entries, without=request_id if _is_own(entries, request_id, request) else None)
    checks = check_causes(policy, history, latest, earlier, champion, today)
    history = history.checked({check.request: check.gone for check in checks})
    standing = standing_causes(policy, champion, today, history, min(window.end, request.run.now))
    past = _past(request, entries)
    situation = Situation(latest, request.run.now, earlier, history, standing, past)
    waiting = waiting_request(entries, request_id, policy.quiet_until(request.run.now))
    return _Found(situation, checks, waiting)


def _is_own(entries: Sequence[Entry], request_id: str, request: DecideRequest) -> bool:
    """Whether this run's own first try has filed the request, and no training has taken it since."""
    of_it = [item for item in entries if item.subject == request_id]
    asked = [item for item in of_it if item.kind == "retrain_requested"]
    taken = any(item.kind == "retrain_taken" for item in of_it)
    return bool(asked) and is_ours(asked[-1], request.run) and not taken


def _past(request: DecideRequest, entries: Sequence[Entry]) -> str | None:
    """Why the window says nothing about what serves now. Windows can be monitored again, by a backfill or by
    clearing a run; what was seen in the newest decides."""
    if request.run.kind == "backfill":
        return "a backfill looks at a past that no training can mend"
    ends = [item.window.end for item in entries if item.kind == "monitored" and item.window is not None]
    newest = max(ends, default=request.collected.window.end)
    if newest <= request.collected.window.end:
        return None
    return f"a later window, to {newest:%Y-%m-%d %H:%M}, was monitored already: what it showed decides"


def signals_of(request: DecideRequest) -> WindowSignals:
    """What the checks of this window found, from the summaries of their reports."""
    decayed: bool | None = None
    drift, quality = request.drift.summary, request.quality.summary
    reasons = [str(reason) for reason in drift.get("reasons", ())]
    if request.performance is not None:
        outcome = request.performance.summary["outcome"]
        decayed = None if outcome == "inconclusive" else outcome == "fail"
        reasons = [*(str(reason) for reason in request.performance.summary["reasons"]), *reasons]
    return WindowSignals(
        window=request.collected.window,
        drifted=bool(drift["drifted"]),
        decayed=decayed,
        upstream_fault=quality.get("upstream_fault"),
        reasons=tuple(reasons),
        rows=request.collected.rows,
        version=request.collected.champion.version,
        compared=bool(drift["drifted"]) or drift.get("share", 0.0) is not None,
    )


def _late_decay(
    request: DecideRequest, latest: WindowSignals, earlier: Sequence[WindowSignals]
) -> Window | None:
    """The newest window of which decay is known, where this run has scored it anew and found it."""
    summary = request.performance.summary if request.performance else {}
    ends = {datetime.fromisoformat(one["window"][1]) for one in summary.get("rescored", ())}
    known = [item for item in (*earlier, latest) if item.decayed is not None]
    newest = max(known, key=lambda item: item.window.end, default=None)
    if newest is None or not newest.decayed or newest.window.end not in ends:
        return None
    return newest.window


def signals_of_entry(item: Entry, relabelled: Entry | None = None) -> WindowSignals:
    """What the ledger says of an earlier window, and of its labels that have landed since."""
    if item.window is None:
        raise ValueError(f"ledger entry {item.id} has no window")
    drifted = bool(item.data["drifted"])
    return WindowSignals(
        window=item.window,
        drifted=drifted,
        decayed=(relabelled or item).data["decayed"],
        upstream_fault=item.data["upstream_fault"],
        reasons=item.reasons,
        rows=item.data.get("rows"),
        version=item.version,
        compared=drifted or item.data.get("drift_share") is not None,
    )


def _reports(request: DecideRequest) -> list[Report]:
    return [request.quality, request.drift, *([request.performance] if request.performance else [])]


def _summary(request: DecideRequest) -> dict[str, Any]:
    """The scores that a listener to the request is told."""
    drift = request.drift.summary
    performance = request.performance.summary if request.performance else {}
    return {
        "drift_share": drift.get("share"),
        "columns": drift.get("columns", {}),
        "rows": request.collected.rows,
        "metric": performance.get("metric"),
        "observed": performance.get("observed"),
        "promise": performance.get("promise"),
    }


def _report(
    request: DecideRequest, policy: Policy, found: _Found, decision: Decision, backends: Backends
) -> Report:
    page = decision_page(request.config.model, policy, found.situation, found.checks, decision)
    uri = backends.store.put(report_key(request.run, "decision"), page)
    return Report("decision", uri, {"action": decision.action, "cause": decision.cause})


def _record(
    request: DecideRequest,
    found: _Found,
    decided: Decided,
    request_id: str,
    today: Made,
    backends: Backends,
) -> None:
    written = [_monitored(request, found.situation.latest, decided), *_checked(request, decided)]
    if decided.decision.action != "keep":
        written.append(_asked(request, decided, request_id, today))
    for item in written:
        backends.ledger.append(item)


def _monitored(request: DecideRequest, latest: WindowSignals, decided: Decided) -> Entry:
    scores = ("drift_share", "rows", "metric", "observed", "promise")
    performance = request.performance.summary if request.performance else {}
    return entry(
        request.config,
        request.run,
        "monitored",
        latest.window.end.isoformat(),
        version=latest.version,
        reasons=latest.reasons,
        evidence=tuple(decided.evidence.values()),
        window=latest.window,
        data={
            "drifted": latest.drifted,
            "decayed": latest.decayed,
            "upstream_fault": latest.upstream_fault,
            "action": decided.decision.action,
            **{name: decided.summary[name] for name in scores},
            **{name: performance[name] for name in _OF_PERFORMANCE if name in performance},
            **found_parts(request),
        },
    )


def _checked(request: DecideRequest, decided: Decided) -> list[Entry]:
    return [
        entry(
            request.config,
            request.run,
            "cause_checked",
            check.request,
            version=check.version,
            reasons=check.reasons,
            evidence=tuple(decided.evidence.values()),
            window=decided.window,
            data={"cause": check.cause, "gone": check.gone},
        )
        for check in decided.checks
    ]


def _asked(request: DecideRequest, decided: Decided, request_id: str, today: Made) -> Entry:
    decision = decided.decision
    page = () if decided.report is None else (decided.report.uri,)
    return entry(
        request.config,
        request.run,
        "retrain_requested" if decision.action == "retrain" else "retrain_refused",
        request_id,
        version=request.collected.champion.version,
        reasons=decision.reasons,
        evidence=(*decided.evidence.values(), *page),
        window=decided.window,
        data={
            "cause": decision.cause,
            "also": list(decision.also),
            "not_before": None if decision.not_before is None else decision.not_before.isoformat(),
            "scores": dict(decided.summary),
            "reports": dict(decided.evidence),
            **made_data(today),
        },
    )
