"""Approval: write down what a person decided about a rollout."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Verdict
from airflow_mlops.steps.expiry import why_expired
from airflow_mlops.steps.model_card import sign_card
from airflow_mlops.steps.record import again, entry
from airflow_mlops.steps.requests import ApprovalRequest


def record_approval(request: ApprovalRequest, backends: Backends) -> Verdict:
    """Record person and reason; a rejection is a failed verdict, and the rollout is rolled back.

    An answer to which there is an objection is recorded as one that does not count, and its verdict is
    inconclusive. A yes to evidence that expired while the question stood is a rejection.
    """
    if request.objection is not None:
        return _not_counted(request, backends)
    config, run, candidate = request.config, request.run, request.rollout.candidate
    reason, approved = _said(request), request.approved
    old = why_expired(request.rollout, config, run, backends)
    because = request.reason
    if approved and old is not None:
        reason, because, approved = f"{reason}; but {old}", old, False
    backends.ledger.append(
        entry(
            config,
            run,
            "approved" if approved else "declined",
            candidate.version,
            stage=again(request.question),
            version=candidate.version,
            actor=request.person,
            reasons=(reason,),
            data={
                "user_id": request.person_id,
                "reason": request.reason,
                "question": request.question,
            },
        )
    )
    sign_card(
        "approved" if approved else "rejected",
        request.person,
        because,
        run,
        request.rollout.training,
        backends,
    )
    return Verdict("pass" if approved else "fail", (reason,))


def _said(request: ApprovalRequest) -> str:
    said = f"{'approved' if request.approved else 'rejected'} by {request.person}"
    return f"{said}: {request.reason}" if request.reason else said


def _not_counted(request: ApprovalRequest, backends: Backends) -> Verdict:
    version = request.rollout.candidate.version
    said = f"{request.person} said {'approve' if request.approved else 'reject'}"
    said = f"{said}: {request.reason}" if request.reason else said
    reasons = (said, f"does not count: {request.objection}")
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            "answer_refused",
            version,
            stage=request.answered_at,
            version=version,
            actor=request.person,
            reasons=reasons,
            data={"user_id": request.person_id, "reason": request.reason},
        )
    )
    return Verdict("inconclusive", reasons)
