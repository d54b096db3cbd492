"""The wait for the end of a rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_mlops.core.ledger import Entry, champion_at, open_rollout, rollout_end
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.triggers.events import LookingTrigger


def end(entries: Sequence[Entry], version: str | None, since: datetime | None) -> dict[str, Any] | None:
    """The decision that sensor and trigger share: how the rollout ended, in JSON values, or None."""
    entry = rollout_end(entries, version, since)
    if entry is None:
        return None
    champion = champion_at(entries)
    return {
        "version": entry.subject,
        "ended": entry.kind,
        "at": entry.at.isoformat(),
        "by": entry.actor,
        "reasons": list(entry.reasons),
        "champion": champion.subject if champion is not None else None,
    }


def look(model: str, version: str | None, since: datetime | None) -> tuple[dict[str, Any] | None, str | None]:
    """Read the ledger once and decide; and the version whose rollout is open, which is the one that is waited
    for from then on. Raises ``StoreUnavailable``."""
    entries = connect_store().ledger.entries(model)
    is_open = open_rollout(entries)
    return end(entries, version, since), is_open.subject if is_open is not None else None


class RolloutEndTrigger(LookingTrigger):
    """Looks at the ledger from the triggerer until a rollout has ended."""

    arguments = ("model", "version", "since", "poll_interval")

    def __init__(self, *, model: str, version: str | None, since: str | None, poll_interval: float) -> None:
        super().__init__()
        self.model = model
        self.version = version
        self.since = since
        self.poll_interval = poll_interval

    def _look(self) -> Mapping[str, Any] | None:
        since = datetime.fromisoformat(self.since) if self.since else None
        found, is_open = look(self.model, self.version, since)
        self.version = self.version or is_open
        return found
