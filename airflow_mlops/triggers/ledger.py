"""The wait for something pending in a model's ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from airflow_mlops.backends.base import LedgerStore
from airflow_mlops.core.ledger import Entry, pending_challengers, pending_requests
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.triggers.events import LookingTrigger

Pending = Literal["challenger", "retrain"]
_QUESTIONS = MappingProxyType({"challenger": pending_challengers, "retrain": pending_requests})


def pending(kind: Pending, entries: Sequence[Entry]) -> dict[str, Any] | None:
    """The decision that sensor and trigger share: the oldest entry that waits, in JSON values, or None."""
    waiting = _QUESTIONS[kind](entries)
    if not waiting:
        return None
    oldest = waiting[0]
    return {
        "subject": oldest.subject,
        "at": oldest.at.isoformat(),
        "reasons": list(oldest.reasons),
        "pending": len(waiting),
    }


def look(model: str, kind: Pending, ledger: LedgerStore | None = None) -> dict[str, Any] | None:
    """Read the ledger once and decide. Raises ``StoreUnavailable``."""
    return pending(kind, (ledger or connect_store().ledger).entries(model))


class LedgerTrigger(LookingTrigger):
    """Looks at the ledger from the triggerer until something waits in it."""

    arguments = ("model", "kind", "poll_interval")

    def __init__(self, *, model: str, kind: Pending, poll_interval: float) -> None:
        super().__init__()
        self.model = model
        self.kind: Pending = kind
        self.poll_interval = poll_interval
        self._ledger: LedgerStore | None = None

    def _look(self) -> Mapping[str, Any] | None:
        self._ledger = self._ledger or connect_store().ledger
        return look(self.model, self.kind, self._ledger)
