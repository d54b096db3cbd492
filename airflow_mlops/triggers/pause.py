"""The wait for a moment, where the look that follows belongs in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.triggers.events import ResumingTrigger


class PauseTrigger(ResumingTrigger):
    """Sleeps until ``moment``; who waits looks again then, in a worker.

    For looks that read data or run a user's code: the triggerer is one loop for all who wait, and imports no
    model's code.
    """

    arguments = ("moment", "resume")

    def __init__(self, *, moment: str, resume: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.moment = moment
        self.resume = resume

    async def _watch(self) -> Mapping[str, Any]:
        left = datetime.fromisoformat(self.moment) - datetime.now(timezone.utc)
        await asyncio.sleep(max(left.total_seconds(), 0.0))
        return {"moment": self.moment}
