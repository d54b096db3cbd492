"""How much of the server's disk the inference log may hold."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path

_MEASURE_SECONDS = 30.0


class LogBudget:
    """How much of the disk the log holds. Compaction frees some of it in another process, so it is measured
    anew from time to time."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._measured_at = -math.inf
        self.used = 0

    def allows(self, size: int) -> bool:
        now = time.monotonic()
        if now - self._measured_at > (_MEASURE_SECONDS if self.used + size <= self._limit else 1.0):
            self._measured_at = now
            self.used = _bytes_below(self._folder)
        return self.used + size <= self._limit

    def exceeded(self) -> str:
        return (
            f"The inference log below {self._folder} holds {self.used / 1024**2:.0f} MiB, as much as "
            "--log-budget-gib allows, so new rows are dropped. Raise it, remove old days, or let "
            "--log-keep-days do that."
        )


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, below, files in os.walk(folder):
        if Path(parent) == folder:
            below[:] = [name for name in below if name != "scored"]  # a score run's, not this server's
        for name in files:
            # One that compaction has just removed weighs nothing.
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total
