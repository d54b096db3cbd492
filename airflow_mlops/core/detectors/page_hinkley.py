"""The test of Page and Hinkley: has the mean risen?"""

from __future__ import annotations

from airflow_mlops.core.detectors.base import State


class PageHinkley:
    """Adds up by how much each number lies above the mean so far, less ``delta``, and never falls below 0:
    at ``threshold`` the mean has risen.

    E. S. Page (1954), "Continuous inspection schemes", Biometrika 41:100, section 3, against the running mean
    (Hinkley 1971, Biometrika 58:509). Both settings are in the unit of what is fed. ``minimum`` numbers are
    read before any alarm.
    """

    _count: int
    _mean: float
    _sum: float

    def __init__(self, *, delta: float = 0.5, threshold: float = 10.0, minimum: int = 10) -> None:
        self._delta, self._threshold, self._minimum = delta, threshold, minimum
        self._begin()

    def update(self, value: float) -> State:
        self._count += 1
        self._mean += (value - self._mean) / self._count
        self._sum = max(0.0, self._sum + value - self._mean - self._delta)
        if self._count < self._minimum or self._sum < self._threshold:
            return "quiet"
        self._begin()
        return "drift"

    def _begin(self) -> None:
        self._count, self._mean, self._sum = 0, 0.0, 0.0
