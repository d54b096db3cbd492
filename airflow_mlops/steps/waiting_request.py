"""Waiting request: a retraining that was asked for, and that no run has taken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from airflow_mlops.core.ledger import Entry, pending_requests
from airflow_mlops.core.retraining import Decision
from airflow_mlops.steps.requests import Decided


def waiting_request(
    entries: Iterable[Entry], without: str, not_before: datetime | None = None
) -> Decided | None:
    """The oldest request that waits, as the run that asked decided it; ``without`` is the present window's
    own. ``not_before`` is the end of the quiet hours of now: those that it was asked in may be over.

    There is one training at a time, so while a request waits, the policy refuses all others. Where the run
    that was to answer it never came to be (the task that starts it failed for good, somebody deleted the
    run), nothing would ever be trained again. So each monitoring run asks for it anew: one that is there
    already is not started twice.
    """
    for item in pending_requests(entries):
        if item.subject != without and item.window is not None and "cause" in item.data:
            decision = Decision(
                "retrain",
                item.data["cause"],
                item.reasons,
                tuple(item.data.get("also", ())),
                not_before,
            )
            return Decided(
                decision=decision,
                window=item.window,
                request_id=item.subject,
                summary=dict(item.data.get("scores", {})),
                evidence=dict(item.data.get("reports", {})),
            )
    return None
