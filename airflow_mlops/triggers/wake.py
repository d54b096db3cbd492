"""The wait for the next look, where only the task itself can look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from airflow.triggers.base import TriggerEvent

from airflow_mlops.triggers.events import Trigger, event


class WakeTrigger(Trigger):
    """Wakes its task after so many seconds.

    The data are read by the task, in the worker that has the model's libraries, and not in the triggerer,
    whose other waits a long read would hold up.
    """

    arguments = ("seconds",)

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, which says nothing."""
        await asyncio.sleep(self.seconds)
        yield event({"found": {}})
