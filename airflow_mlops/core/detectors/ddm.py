"""DDM: has the rate of errors left its best?"""

from __future__ import annotations

from math import inf, sqrt

from airflow_mlops.core.detectors.base import State


class Ddm:
    """Follows the rate of ones in a stream of zeros and ones and its standard error, p + s. A rise of
    ``warning`` (or ``drift``) standard errors above the least p + s so far is one.

    Gama and others (2004), "Learning with drift detection", SBIA, section 3.1. ``minimum`` numbers are read
    before the least is looked for.
    """

    _count: int
    _rate: float
    _least: tuple[float, float]

    def __init__(self, *, warning: float = 2.0, drift: float = 4.0, minimum: int = 30) -> None:
        self._warning, self._drift, self._minimum = warning, drift, minimum
        self._begin()

    def update(self, value: float) -> State:
        self._count += 1
        self._rate += (value - self._rate) / self._count
        error = sqrt(max(self._rate * (1 - self._rate), 0.0) / self._count)
        if self._count <= self._minimum:
            return "quiet"
        if self._rate + error <= self._least[0] + self._least[1]:
            self._least = (self._rate, error)
        risen = self._rate + error - self._least[0]
        if risen > self._drift * self._least[1]:
            self._begin()
            return "drift"
        return "warning" if risen > self._warning * self._least[1] else "quiet"

    def _begin(self) -> None:
        self._count, self._rate = 0, 0.0
        self._least = (inf, inf)
