"""Decide: does what was found call for retraining, and does the policy allow it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
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
from airflow_mlops.steps.decision_page import decision_page
from airflow_mlops.steps.found_parts import found_parts
from airflow_mlops.steps.made import made_data, made_of, made_today
from airflow_mlops.steps.record import entry, is_ours, report_key
from airflow_mlops.steps.requests import Decided, DecideRequest

_OF_PERFORMANCE = ("labels", "coverage", "estimated", "detectors", "slices", "score")


def decide(request: DecideRequest, backends: Backends) -> Decided:
    """Weigh this window with the earlier ones, record what was seen and decided, and file the request. Whether
    the cause of the last retraining is gone is checked first: the circuit breaker counts those that are not.
    """
    config, window = request.config, request.collected.window
    request_id = content_hash([config.model, window.end.isoformat()])[:16]
    policy = config.retraining.policy(config.schedule.timezone)
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
    )
    _record(request, found, decided, request_id, today, backends)
    return decided


@dataclass(frozen=True, slots=True)
class _Found:
    situation: Situation
    checks: tuple[CauseCheck, ...]


def _look(request: DecideRequest, policy: Policy, today: Made, request_id: str, backends: Backends) -> _Found:
    """What the decision rests on. What this run's own first try wrote is left out."""
    window = request.collected.window
    entries = [
        item
        for item in backends.ledger.entries(request.config.model)
        if not (item.kind == "cause_checked" and is_ours(item, request.run))
    ]
    latest = signals_of(request)
    earlier = [
        signals_of_entry(item, _rescored(item, entries))
        for item in entries
        if item.kind == "monitored" and item.window is not None and item.window.end < window.end
    ]
    champion = made_of(request.collected.champion, backends)
    history = history_of(entries, without=request_id)
    checks = check_causes(policy, history, latest, earlier, champion, today)
    history = history.checked({check.request: check.gone for check in checks})
    standing = standing_causes(policy, champion, today, history, window.end)
    return _Found(Situation(latest, request.run.now, earlier, history, standing), checks)


def signals_of(request: DecideRequest) -> WindowSignals:
    """What the checks of this window found, from the summaries of their reports."""
    decayed: bool | None = None
    judged = True
    drift, quality = request.drift.summary, request.quality.summary
    reasons = [str(reason) for reason in drift.get("reasons", ())]
    if request.performance is not None:
        outcome = request.performance.summary["outcome"]
        decayed = None if outcome == "inconclusive" else outcome == "fail"
        judged = bool(request.performance.summary.get("score", {}).get("judged", True))
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
        judged=judged,
    )


def _rescored(item: Entry, entries: Sequence[Entry]) -> Entry | None:
    """The last time that a window was scored again, on more labels, after it was monitored."""
    again = [
        one
        for one in entries
        if (one.kind, one.subject, one.version) == ("rescored", item.subject, item.version)
        and one.at >= item.at
    ]
    return again[-1] if again else None


def signals_of_entry(item: Entry, rescored: Entry | None = None) -> WindowSignals:
    """What the ledger says of an earlier window, and of its decay since more of its labels have landed."""
    if item.window is None:
        raise ValueError(f"ledger entry {item.id} has no window")
    drifted = bool(item.data["drifted"])
    score = (rescored or item).data.get("score") or {}
    return WindowSignals(
        window=item.window,
        drifted=drifted,
        decayed=(rescored or item).data["decayed"],
        upstream_fault=item.data["upstream_fault"],
        reasons=item.reasons if rescored is None else (*rescored.reasons, *item.reasons),
        rows=item.data.get("rows"),
        version=item.version,
        compared=drifted or item.data.get("drift_share") is not None,
        judged=bool(score.get("judged", True)),
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
    latest, decision = found.situation.latest, decided.decision
    summary = decided.summary
    performance = request.performance.summary if request.performance else {}
    evidence = tuple(decided.evidence.values())
    about = {"version": latest.version, "window": latest.window}
    written: list[Entry] = [
        entry(
            request.config,
            request.run,
            "monitored",
            latest.window.end.isoformat(),
            reasons=latest.reasons,
            evidence=evidence,
            data={
                "drifted": latest.drifted,
                "decayed": latest.decayed,
                "upstream_fault": latest.upstream_fault,
                "action": decision.action,
                **{name: summary[name] for name in ("drift_share", "rows", "metric", "observed", "promise")},
                **{name: performance[name] for name in _OF_PERFORMANCE if name in performance},
                **found_parts(request),
            },
            **about,
        )
    ]
    written += _checked(request.config, request, found.checks, evidence)
    if decision.action != "keep":
        kind = "retrain_requested" if decision.action == "retrain" else "retrain_refused"
        pages = (*evidence, *([decided.report.uri] if decided.report else []))
        data = {"cause": decision.cause, "also": list(decision.also), **made_data(today)}
        written.append(
            entry(
                request.config,
                request.run,
                kind,
                request_id,
                reasons=decision.reasons,
                evidence=pages,
                data=data,
                **about,
            )
        )
    for item in written:
        backends.ledger.append(item)


def _checked(
    config: ModelConfig, request: DecideRequest, checks: Sequence[CauseCheck], evidence: tuple[str, ...]
) -> list[Entry]:
    return [
        entry(
            config,
            request.run,
            "cause_checked",
            check.request,
            version=check.version,
            reasons=check.reasons,
            evidence=evidence,
            window=request.collected.window,
            data={"cause": check.cause, "gone": check.gone},
        )
        for check in checks
    ]
