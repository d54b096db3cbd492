"""The wait for a cause, and the watch that wakes any DAG by an asset."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_mlops.backends.base import LedgerStore
from airflow_mlops.core.causes import ABOUT_CAUSES, CauseEvent, TakenCause, known_causes, pending_causes
from airflow_mlops.exceptions import BackendUnavailable, MlopsError
from airflow_mlops.hooks.backends import connect_store
from airflow_mlops.hooks.causes import taken_json
from airflow_mlops.triggers.events import LookingTrigger, event

_STATE_KEY = "causes"
_CARRIED = 20  # causes that an event carries; it counts them all
_REMEMBERED = 2_000  # names of causes; the state of an asset holds 64 KB


@dataclass(frozen=True, slots=True)
class Told:
    """What a watch has told of already, by short names, and when it last told of anything."""

    names: frozenset[str] = frozenset()
    at: float = 0.0

    def news(self, events: Sequence[CauseEvent], remind_after: float | None, now: float) -> bool:
        """Whether any is new, or all of them have waited so long that somebody is to be woken again."""
        if any(_short(one) not in self.names for one in events):
            return True
        return bool(events) and remind_after is not None and now - self.at >= remind_after


class CauseTrigger(LookingTrigger, BaseEventTrigger):
    """Looks at a model's ledger, and tells of ``drift``, ``decay`` or ``retrain``.

    In an ``AssetWatcher`` it makes an asset event for each look that finds something new, without an end.
    With the id of a DAG as ``consumer`` it tells only of what that DAG has not taken
    (``TakeCausesOperator``), and again every ``remind_after`` seconds until it does, so that a DAG which was
    paused is woken too. Without one, each cause is told of once, and what is there at the very first look is
    not new. What has been told is in Airflow's store of asset states, so that a triggerer which is restarted
    does not tell it twice; before Airflow 3.3 it may, and a DAG that takes its causes then finds nothing to
    do.

    With ``once``, as the sensors use it, there is one event, and the task takes what it tells of.
    """

    arguments = ("model", "causes", "consumer", "once", "since", "poll_interval", "remind_after")

    def __init__(
        self,
        *,
        model: str,
        causes: Sequence[TakenCause] = ("drift",),
        consumer: str | None = None,
        once: bool = False,
        since: str | None = None,
        poll_interval: float = 60.0,
        remind_after: float = 3_600.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.causes = list(causes)
        self.consumer = consumer
        self.once = once
        self.since = since
        self.poll_interval = poll_interval
        self.remind_after = remind_after
        self._ledger: LedgerStore | None = None
        # A watch has no task whose queue it could follow; a task's wait does.
        self.supports_triggerer_queue = once

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event for a task, or an event for each look that finds something new."""
        if self.once:
            async for given in super().run():
                yield given
            return
        told = await self._recall()
        remind_after = self.remind_after if self.consumer is not None else None
        while True:
            events = await self._try_to_look()
            if events is not None and told is None:
                told = Told() if self.consumer is not None else await self._remember(events, 0.0)
            if events is not None and told is not None and told.news(events, remind_after, time.time()):
                new = [one for one in events if _short(one) not in told.names] or events
                self.log.info("Telling of %s", ", ".join(one.subject for one in new))
                yield event(_payload(self.model, new, len(events)))
                told = await self._remember(events, time.time())
            await asyncio.sleep(self.poll_interval)

    def _look(self) -> Mapping[str, Any] | None:
        events = self._events()
        return {"pending": len(events)} if events else None

    def _events(self) -> list[CauseEvent]:
        """What is pending for the consumer, or all that there is where none is named."""
        self._ledger = self._ledger or connect_store().ledger
        entries = self._ledger.entries(self.model, ABOUT_CAUSES)
        since = datetime.fromisoformat(self.since) if self.since else None
        if self.consumer is None:
            return known_causes(entries, self.causes, since)[-_REMEMBERED:]
        return pending_causes(entries, self.causes, self.consumer, since)[-_REMEMBERED:]

    async def _try_to_look(self) -> list[CauseEvent] | None:
        """A watch has nobody to hand an error to: it says so in its log, and looks again."""
        try:
            return await asyncio.to_thread(self._events)
        except BackendUnavailable as error:
            self.log.warning("Cannot look, and will look again: %s", error)
        except MlopsError as error:
            self.log.error("Cannot look until somebody mends it: %s", error)
        return None

    async def _recall(self) -> Told | None:
        """What an earlier triggerer left."""
        store = getattr(self, "asset_state_store", None)
        kept: Any = None if store is None else await store.aget(_STATE_KEY)
        if not isinstance(kept, dict):
            return None
        return Told(frozenset(kept["names"]), float(kept["at"]))

    async def _remember(self, events: Sequence[CauseEvent], at: float) -> Told:
        told = Told(frozenset(map(_short, events)), at)
        store = getattr(self, "asset_state_store", None)
        if store is not None:
            await store.aset(_STATE_KEY, {"names": sorted(told.names), "at": at})
        return told


def _payload(model: str, new: Sequence[CauseEvent], pending: int) -> dict[str, Any]:
    return {**taken_json(model, new[-_CARRIED:]), "pending": pending}


def _short(one: CauseEvent) -> str:
    return hashlib.sha256(one.subject.encode()).hexdigest()[:12]
