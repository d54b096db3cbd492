"""EDDM: do errors come closer together?"""

from __future__ import annotations

from math import sqrt

from airflow_mlops.core.detectors.base import State


class Eddm:
    """Follows the distances between the ones in a stream of zeros and ones: their mean and twice their
    standard deviation, against the most that was ever. Below ``warning`` of it is a warning, below ``drift``
    of it a drift.

    Baena-Garcia and others (2006), "Early drift detection method", section 3. ``minimum`` ones are read
    before any alarm.
    """

    _said: State
    _count: int
    _ones: int
    _last: int
    _mean: float
    _squares: float
    _most: float

    def __init__(self, *, warning: float = 0.6, drift: float = 0.5, minimum: int = 10) -> None:
        self._warning, self._drift, self._minimum = warning, drift, minimum
        self._begin()

    def update(self, value: float) -> State:
        self._count += 1
        if value != 1:
            return self._said
        self._ones += 1
        self._follow(self._count - self._last)
        self._last = self._count
        if self._count <= self._minimum:
            return self._said
        spread = self._mean + 2 * sqrt(self._squares / (self._ones - 1) if self._ones > 1 else 0.0)
        if spread > self._most:
            self._most = spread
            return self._said
        if self._ones <= self._minimum:
            return self._said
        share = spread / self._most
        if share < self._drift:
            self._begin()
            return "drift"
        self._said = "warning" if share < self._warning else "quiet"
        return self._said

    def _follow(self, distance: int) -> None:
        """Mean and sum of squares of the distances, one at a time (Welford 1962, Technometrics 4:419)."""
        gap = distance - self._mean
        self._mean += gap / self._ones
        self._squares += gap * (distance - self._mean)

    def _begin(self) -> None:
        self._said = "quiet"
        self._count, self._ones, self._last = 0, 0, 0
        self._mean, self._squares, self._most = 0.0, 0.0, -1.0
