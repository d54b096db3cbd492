"""The wait for the end of a rollout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_mlops.core.ledger import Entry, champion_at, open_rollout, rollout_end
from airflow_mlops.exceptions import BackendUnavailable, MlopsError
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.triggers.events import Trigger, error_event, event


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


class RolloutEndTrigger(Trigger):
    """Looks at the ledger from the triggerer until a rollout has ended."""

    arguments = ("model", "version", "since", "poll_interval")

    def __init__(self, *, model: str, version: str | None, since: str | None, poll_interval: float) -> None:
        super().__init__()
        self.model = model
        self.version = version
        self.since = since
        self.poll_interval = poll_interval

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"found": ...}``, or ``{"error": ..., "retry": ...}``. A store that is away is looked
        at again: the sensor's own timeout bounds the wait."""
        since = datetime.fromisoformat(self.since) if self.since else None
        found: Mapping[str, Any] | None = None
        version = self.version
        while found is None:
            await asyncio.sleep(self.poll_interval)
            try:
                found, is_open = await asyncio.to_thread(look, self.model, version, since)
                version = version or is_open
            except BackendUnavailable as error:
                self.log.warning("The ledger cannot be read: %s", error)
            except MlopsError as error:
                yield error_event(error)
                return
        yield event({"found": dict(found)})
