"""Take causes: a run claims what is pending for its consumer, so that no other run acts on it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from airflow_mlops.backends.base import LedgerStore
from airflow_mlops.core.causes import (
    ABOUT_CAUSES,
    CauseEvent,
    TakenCause,
    Taker,
    claim_id,
    claim_of,
    claims_by_id,
    known_causes,
)


def take_causes(
    ledger: LedgerStore,
    model: str,
    causes: Collection[TakenCause],
    taker: Taker,
    since: datetime | None = None,
) -> list[CauseEvent]:
    """Everything that is pending, oldest first, and what an earlier try of this run took.

    Each claim is written whole or not at all, and one run alone can hold it: a run that is killed in the
    middle leaves the rest pending, and its retry finds what it took and goes on. What another run holds is
    left to that run.
    """
    entries = ledger.entries(model, ABOUT_CAUSES)
    claims, mine = claims_by_id(entries), []
    for event in known_causes(entries, causes, since):
        claim = claims.get(claim_id(event, taker.consumer)) or ledger.append(claim_of(event, taker))
        if taker.holds(claim):
            mine.append(event)
    return mine


def take_cause(ledger: LedgerStore, event: CauseEvent, taker: Taker) -> bool:
    """Take one cause that the consumer has worked out for itself; False where another run was first."""
    return taker.holds(ledger.append(claim_of(event, taker)))
