"""Intervals and tests of proportions by their scores: one of rows, and the difference of two on the same
rows; and the difference of any two estimates of independent rows.

A score interval holds every value that a score test does not reject, so interval and test never disagree,
and both stay honest where rows are few or the proportion is near 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from airflow_mlops.core.values import Estimate

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Sided:
    """Two one-sided p-values about a true value and a bound. A small ``below`` proves that it is less than
    the bound, a small ``above`` that it is more."""

    below: float
    above: float


def quantile(confidence: float) -> float:
    """The normal quantile of a two-sided interval."""
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def sided(z: float) -> Sided:
    """The p-values of a statistic that grows with the estimate and is standard normal at the bound."""
    return Sided(below=_NORMAL.cdf(z), above=_NORMAL.cdf(-z))


def wilson(hits: float, rows: float, z: float) -> Estimate:
    """Wilson (1927), JASA 22:209, equation 4: the proportions whose score statistic is within ``z``. It stays
    between 0 and 1, and has a width at both. Raises ``ValueError`` for no rows."""
    if not rows > 0:
        raise ValueError("a share of no rows is not defined")
    share, spread = hits / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z * ((share * (1 - share) + spread / 4) / rows) ** 0.5 / (1 + spread)
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def proportion_test(hits: float, rows: float, bound: float) -> Sided:
    """The score test that ``wilson`` inverts."""
    if not 0 < bound < 1:
        return certain(hits / rows, bound)
    return sided((hits / rows - bound) / (bound * (1 - bound) / rows) ** 0.5)


def independent_difference(one: Estimate, other: Estimate) -> Estimate:
    """``one`` minus ``other``, of rows that have nothing to do with each other, from the intervals of the two
    (Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10)."""
    value = one.value - other.value
    below = ((one.value - one.low) ** 2 + (other.high - other.value) ** 2) ** 0.5
    above = ((one.high - one.value) ** 2 + (other.value - other.low) ** 2) ** 0.5
    return Estimate(value, value - below, value + above)


def paired_difference(better: float, worse: float, rows: float, z: float) -> Estimate:
    """Tango (1998), Statistics in Medicine 17:891: a score interval of the difference of two proportions on
    the same rows. ``better`` rows are a hit for the first alone, ``worse`` ones for the second alone. At a
    difference of 0 its statistic is McNemar's, without continuity correction."""
    value = (better - worse) / rows

    def statistic(difference: float) -> float:
        return tango(better, worse, rows, difference)

    low = _crossing(statistic, -1.0, value, z)
    high = _crossing(statistic, value, 1.0, -z)
    return Estimate(value, low, high)


def tango(better: float, worse: float, rows: float, difference: float) -> float:
    """The score statistic of a true difference, strictly between -1 and 1. The nuisance parameter, the share
    of rows that only the second hits, is at its maximum of the likelihood (Tango's equations 11 and 12)."""
    a = 2 * rows
    b = -better - worse + (2 * rows - better + worse) * difference
    c = -worse * difference * (1 - difference)
    nuisance = (max(b * b - 4 * a * c, 0.0) ** 0.5 - b) / (2 * a)
    variance = rows * (2 * nuisance + difference * (1 - difference))
    gap = better - worse - rows * difference
    if variance <= 0:
        return 0.0 if gap == 0 else float("inf") if gap > 0 else float("-inf")
    return float(gap / variance**0.5)


def paired_test(better: float, worse: float, rows: float, bound: float) -> Sided:
    """Whether the true difference is below or above a bound; at 0, McNemar's test in two halves."""
    if not -1 < bound < 1:
        return certain((better - worse) / rows, bound)
    return sided(tango(better, worse, rows, bound))


def certain(value: float, bound: float) -> Sided:
    """Where nothing is left to chance: the value is known, or the bound is at an end of what can be."""
    return Sided(below=float(value >= bound), above=float(value <= bound))


def student(z: float, degrees: int) -> float:
    """Student's quantile that leaves as much beyond it as the normal ``z``: Wallace's transformation
    (Abramowitz and Stegun, 26.7.8), within half a percent from five degrees of freedom on."""
    scaled = z * (8 * degrees + 3) / (8 * degrees + 1)
    return math.copysign((degrees * math.expm1(scaled * scaled / degrees)) ** 0.5, z)


def normal(t: float, degrees: int) -> float:
    """The normal quantile that leaves as much beyond it as Student's ``t``; undoes ``student``."""
    scaled = (degrees * math.log1p(t * t / degrees)) ** 0.5
    return math.copysign(scaled * (8 * degrees + 1) / (8 * degrees + 3), t)


def _crossing(statistic: Callable[[float], float], low: float, high: float, level: float) -> float:
    """Where a falling statistic passes a level; the end that is nearest, if it does not."""
    for _ in range(80):
        middle = (low + high) / 2
        if statistic(middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2
