"""Approval: write down what a person decided about a rollout."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Verdict
from airflow_mlops.steps.model_card import sign_card
from airflow_mlops.steps.record import entry
from airflow_mlops.steps.requests import ApprovalRequest


def record_approval(request: ApprovalRequest, backends: Backends) -> Verdict:
    """Record person and reason; a rejection is a failed verdict, and the rollout is rolled back."""
    candidate = request.rollout.candidate
    said = f"{'approved' if request.approved else 'rejected'} by {request.person}"
    reason = f"{said}: {request.reason}" if request.reason else said
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            "approved" if request.approved else "declined",
            candidate.version,
            version=candidate.version,
            actor=request.person,
            reasons=(reason,),
        )
    )
    sign_card(
        "approved" if request.approved else "rejected",
        request.person,
        request.reason,
        request.run,
        request.rollout.training,
        backends,
    )
    return Verdict("pass" if request.approved else "fail", (reason,))
