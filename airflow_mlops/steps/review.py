"""Review: write down what a person decided about a challenger that its gates held."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.ledger import EntryKind
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.record import again, entry
from airflow_mlops.steps.requests import ReviewRequest


def record_review(request: ReviewRequest, backends: Backends) -> Verdict:
    """Record person and reason; an override is a passed verdict. Raises ``ModelRefused`` for an override
    that gives no reason, or in a backfill, whose models nobody may put into service."""
    if request.overridden and not request.reason.strip() and request.objection is None:
        raise ModelRefused(f"{request.person} overrode the gates without a reason; give one")
    if request.overridden and request.run.kind == "backfill":
        raise ModelRefused("the gates of a backfill are not overridden; start a run by hand")
    because = f": {request.reason}" if request.reason else ""
    if request.objection is not None:
        chosen = "override" if request.overridden else "hold"
        refused = (f"{request.person} said {chosen}{because}", f"does not count: {request.objection}")
        _record(request, "answer_refused", refused, backends)
        return Verdict("inconclusive", refused)
    said = f"{'overridden' if request.overridden else 'held'} by {request.person}{because}"
    reasons = (f"gates said {request.verdict.outcome}, {said}", *request.verdict.reasons)
    _record(request, "overridden" if request.overridden else "declined", reasons, backends)
    return Verdict("pass" if request.overridden else "fail", reasons)


def _record(request: ReviewRequest, kind: EntryKind, reasons: tuple[str, ...], backends: Backends) -> None:
    dataset = request.snapshot.dataset
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            kind,
            request.training.run_id,
            stage=request.answered_at if kind == "answer_refused" else again(request.question),
            actor=request.person,
            reasons=reasons,
            window=dataset.window,
            data_version=dataset.version,
            data={
                "verdict": request.verdict.outcome,
                "reason": request.reason,
                "user_id": request.person_id,
                "question": request.question,
            },
        )
    )
