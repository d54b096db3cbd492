"""Decide: does what was found call for retraining, and does the policy allow it?"""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.ledger import Entry, pending_requests
from airflow_mlops.core.retraining import Decision, Policy, WindowSignals
from airflow_mlops.core.retraining import decide as apply_policy
from airflow_mlops.core.windows import Period
from airflow_mlops.steps.found_parts import found_parts
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import Decided, DecideRequest

_OF_PERFORMANCE = ("labels", "coverage", "estimated", "detectors", "slices", "score")


def decide(request: DecideRequest, backends: Backends) -> Decided:
    """Weigh this window with the earlier ones, record what was seen and decided, and file the request."""
    config, window = request.config, request.collected.window
    entries = backends.ledger.entries(config.model)
    latest = _signals(request)
    request_id = content_hash([config.model, window.end.isoformat()])[:16]
    decision = apply_policy(
        _policy(config),
        latest,
        [_as_signals(item) for item in entries if _is_earlier(item, request)],
        [
            item.window.end
            for item in entries
            if item.kind == "retrain_requested" and item.window and item.subject != request_id
        ],
        request_open=any(item.subject != request_id for item in pending_requests(entries)),
    )
    _record(request, latest, decision, request_id, backends)
    return Decided(
        decision=decision,
        window=window,
        request_id=request_id if decision.action == "retrain" else None,
        summary={"drift_share": request.drift.summary.get("share"), "rows": request.collected.rows},
    )


def _signals(request: DecideRequest) -> WindowSignals:
    decayed: bool | None = None
    reasons = [str(reason) for reason in request.drift.summary.get("reasons", ())]
    if request.performance is not None:
        outcome = request.performance.summary["outcome"]
        decayed = None if outcome == "inconclusive" else outcome == "fail"
        reasons = [*(str(reason) for reason in request.performance.summary["reasons"]), *reasons]
    return WindowSignals(
        window=request.collected.window,
        drifted=bool(request.drift.summary["drifted"]),
        decayed=decayed,
        upstream_fault=request.quality.summary.get("upstream_fault"),
        reasons=tuple(reasons),
    )


def _policy(config: ModelConfig) -> Policy:
    retraining = config.retraining
    return Policy(
        enabled=bool(retraining.enabled),
        causes=frozenset(retraining.causes),
        k=retraining.k,
        n=retraining.n,
        cooldown=Period.parse(retraining.cooldown),
        budget=retraining.budget,
        budget_period=Period.parse(retraining.budget_period),
    )


def _is_earlier(item: Entry, request: DecideRequest) -> bool:
    window = request.collected.window
    return item.kind == "monitored" and item.window is not None and item.window.end < window.end


def _as_signals(item: Entry) -> WindowSignals:
    if item.window is None:
        raise ValueError(f"ledger entry {item.id} has no window")
    return WindowSignals(
        window=item.window,
        drifted=bool(item.data["drifted"]),
        decayed=item.data["decayed"],
        upstream_fault=item.data["upstream_fault"],
        reasons=item.reasons,
    )


def _record(
    request: DecideRequest, latest: WindowSignals, decision: Decision, request_id: str, backends: Backends
) -> None:
    config, run, collected = request.config, request.run, request.collected
    reports = [request.quality, request.drift, *([request.performance] if request.performance else [])]
    evidence = tuple(report.uri for report in reports)
    performance = request.performance.summary if request.performance else {}
    backends.ledger.append(
        entry(
            config,
            run,
            "monitored",
            collected.window.end.isoformat(),
            version=collected.champion.version,
            reasons=latest.reasons,
            evidence=evidence,
            window=collected.window,
            data={
                "drifted": latest.drifted,
                "decayed": latest.decayed,
                "upstream_fault": latest.upstream_fault,
                "drift_share": request.drift.summary.get("share"),
                "rows": collected.rows,
                "action": decision.action,
                "metric": performance.get("metric"),
                "observed": performance.get("observed"),
                "promise": performance.get("promise"),
                **{name: performance[name] for name in _OF_PERFORMANCE if name in performance},
                **found_parts(request),
            },
        )
    )
    if decision.action != "keep":
        backends.ledger.append(
            entry(
                config,
                run,
                "retrain_requested" if decision.action == "retrain" else "retrain_refused",
                request_id,
                version=collected.champion.version,
                reasons=decision.reasons,
                evidence=evidence,
                window=collected.window,
                data={"cause": decision.cause},
            )
        )
