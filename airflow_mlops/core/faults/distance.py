"""How far two columns of numbers are from each other, and whether one is the other in another unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log, sqrt
from statistics import median

from airflow_mlops.core.faults.summary import LEVELS, QUANTILES_OF, Numbers

_MIDDLE = LEVELS.index(0.5)


@dataclass(frozen=True, slots=True)
class Change:
    """A straight line from what was to what is: ``times`` what was, ``plus`` a number."""

    times: float
    plus: float = 0.0

    def undone(self, quantiles: Sequence[float]) -> tuple[float, ...]:
        """What these quantiles were before."""
        back = [(one - self.plus) / self.times for one in quantiles]
        return tuple(back if self.times > 0 else reversed(back))


UNCHANGED = Change(1.0)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far, in spreads, a stretch may be from what is normal; ``width`` is the same for the logarithm of
    its spread."""

    place: float
    width: float


@dataclass(frozen=True, slots=True)
class Hull:
    """All that lies between the stretches of a reference: what the seasons do to a column is in it, as far as
    the reference knows them. ``unit`` is the usual spread of a stretch."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    unit: float
    narrowest: float
    widest: float
    count: int

    @classmethod
    def of(cls, normal: Sequence[Numbers]) -> Hull:
        """Of one stretch or more."""
        levels = list(zip(*(one.quantiles for one in normal), strict=True))
        spreads = [spread(one.quantiles) for one in normal]
        return cls(
            low=tuple(map(min, levels)),
            high=tuple(map(max, levels)),
            unit=median(spreads),
            narrowest=min(spreads),
            widest=max(spreads),
            count=min(one.count for one in normal),
        )

    def apart(self, quantiles: Sequence[float]) -> float:
        """How far outside the quantiles are, in spreads; infinite where the reference has no spread."""
        outside = [
            max(low - one, one - high, 0.0)
            for one, low, high in zip(quantiles, self.low, self.high, strict=True)
        ]
        far = _mean(outside) / self.unit if self.unit else float("inf")
        return far if isfinite(far) else float("inf")

    def wider(self, quantiles: Sequence[float]) -> float:
        """The logarithm of how many times as wide, or as narrow, they are as the widest, or the narrowest,
        stretch; 0 between these."""
        ours = spread(quantiles)
        if not isfinite(ours) or ours <= 0 or self.narrowest <= 0:
            return float("inf")
        return max(log(ours / self.widest), log(self.narrowest / ours), 0.0)


def spread(quantiles: Sequence[float]) -> float:
    """Mean distance from the median, by the quantiles; of a normal distribution 0.8 standard deviations."""
    return _mean([abs(one - quantiles[_MIDDLE]) for one in quantiles])


def is_undone_by(change: Change, window: Numbers, hull: Hull, within: Tolerance) -> float | None:
    """How far the window is from what is normal once the change is undone, in spreads; None where it is not
    like it within the tolerance."""
    back = change.undone(window.quantiles)
    chance = noise(window.count, hull.count)
    place, width = hull.apart(back), hull.wider(back)
    return place + width if place <= within.place + chance and width <= within.width + chance else None


def ratio_of(window: Numbers, one: Numbers) -> float | None:
    """How many times as large the window's numbers are, by the quantiles that are above 0 in both."""
    pairs = [(new, old) for new, old in zip(window.quantiles, one.quantiles, strict=True) if new * old > 0]
    return None if len(pairs) < len(LEVELS) // 3 else median(new / old for new, old in pairs)


def noise(one: int, other: int) -> float:
    """How far two samples of so many rows of one distribution are apart by chance, in spreads, with room to
    spare: the mean is 0.9 times the root below for a normal one."""
    return 2 * sqrt(sum(1 / min(max(count, 1), QUANTILES_OF) for count in (one, other)))


def _mean(values: Sequence[float]) -> float:
    """Over the levels, by the trapezoid rule."""
    area = sum(
        (right - left) * (values[place] + values[place + 1]) / 2
        for place, (left, right) in enumerate(pairwise(LEVELS))
    )
    return area / (LEVELS[-1] - LEVELS[0])
