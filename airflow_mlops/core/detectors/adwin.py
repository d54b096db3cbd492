"""ADWIN: a window that is as long as nothing changes in it."""

from __future__ import annotations

from itertools import accumulate
from math import log, sqrt

from airflow_mlops.core.detectors.base import State


class Adwin:
    """Keeps the numbers since the last change. Where the window can be cut in two parts whose means differ by
    more than chance allows at ``delta``, the older part goes.

    Bifet and Gavalda (2007), "Learning from time-changing data with adaptive windowing", SDM, section 3.3
    (the normal approximation). Batches are few, so the window is kept whole: the paper's buckets, which save
    memory on long streams, would only coarsen it; and all that is before the clearest cut goes at once, where
    the paper drops one number after the other and says so each time. ``minimum`` is the least length of
    either part.
    """

    def __init__(self, *, delta: float = 0.002, minimum: int = 5) -> None:
        self._delta, self._minimum = delta, minimum
        self._window: list[float] = []

    def update(self, value: float) -> State:
        self._window.append(value)
        if (cut := self._clearest_cut()) is None:
            return "quiet"
        older, gap = cut
        del self._window[:older]
        return "drift" if gap > 0 else "improved"

    def _clearest_cut(self) -> tuple[int, float] | None:
        """Where the older part ends and by how much the newer one lies above it, if chance does not explain
        it anywhere."""
        window, count = self._window, len(self._window)
        if count < 2 * self._minimum:
            return None
        sums = list(accumulate(window, initial=0.0))
        mean = sums[-1] / count
        variance = sum((value - mean) ** 2 for value in window) / count
        level = log(2 * log(count) / self._delta)
        found, most = None, 0.0
        for older in range(self._minimum, count - self._minimum + 1):
            newer = count - older
            gap = (sums[-1] - sums[older]) / newer - sums[older] / older
            inverse = 1 / older + 1 / newer
            beyond = abs(gap) - sqrt(2 * inverse * variance * level) - 2 / 3 * inverse * level
            if beyond > most:
                found, most = (older, gap), beyond
        return found
