"""From an estimate with its interval to how sure it is beyond a bound, far out in the tails.

A search over a thousand slices asks at levels of one in a hundred thousand, where few rows are far from the
normal distribution. So a share (of rows, or a metric like the area under the ROC curve) is taken for a
binomial share of as many rows as its standard error fits, with the exact limits of Clopper and Pearson
(Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data"), and a mean is taken to be Student's with its rows less one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, log, sinh
from typing import Protocol

from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate


class Tails(Protocol):
    """How sure an estimate is, at any level."""

    def p_below(self, bound: float) -> float:
        """One-sided p-value of the null that the truth is at least the bound."""

    def p_above(self, bound: float) -> float:
        """One-sided p-value of the null that the truth is at most the bound."""

    def interval(self, level: float) -> Estimate:
        """With so much chance of error at either end. It excludes the bounds whose p-value is below."""


def tails_of(estimate: Estimate, confidence: float, rows: int) -> Tails:
    """From an interval at ``confidence``: one that is symmetric on the logit scale is of a share."""
    z = quantile(confidence)
    if (effective := _effective_rows(estimate, z, confidence)) is not None:
        return Share(estimate.value, effective)
    return Mean(
        estimate.value, (estimate.value - estimate.low) / z, (estimate.high - estimate.value) / z, rows
    )


@dataclass(frozen=True, slots=True)
class Share:
    """A share of as many independent rows as its standard error fits."""

    value: float
    rows: float

    def p_below(self, bound: float) -> float:
        from scipy.stats import beta

        misses = self.rows * (1 - self.value)
        return float(beta.sf(bound, self.rows - misses + 1, misses)) if misses > 0 else 1.0

    def p_above(self, bound: float) -> float:
        return Share(1 - self.value, self.rows).p_below(1 - bound)

    def interval(self, level: float) -> Estimate:
        return Estimate(
            self.value, 1 - Share(1 - self.value, self.rows)._highest(level), self._highest(level)
        )

    def _highest(self, level: float) -> float:
        from scipy.stats import beta

        misses = self.rows * (1 - self.value)
        return float(beta.isf(level, self.rows - misses + 1, misses)) if misses > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean, or what behaves like one, with its standard error to either side."""

    value: float
    error_below: float
    error_above: float
    rows: int

    def p_below(self, bound: float) -> float:
        return _student(bound - self.value, self.error_above, self.rows)

    def p_above(self, bound: float) -> float:
        return _student(self.value - bound, self.error_below, self.rows)

    def interval(self, level: float) -> Estimate:
        from scipy.stats import t

        far = float(t.isf(level, self.rows - 1))
        return Estimate(self.value, self.value - far * self.error_below, self.value + far * self.error_above)


def _student(distance: float, error: float, rows: int) -> float:
    from scipy.stats import t

    if error <= 0:
        return 0.0 if distance > 0 else 1.0
    return float(t.sf(distance / error, rows - 1))


def _effective_rows(estimate: Estimate, z: float, confidence: float) -> float | None:
    """Of a share, how many rows its interval speaks of; None of what is none."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value == 1 and 0 < low < 1 and high == 1:
        return log((1 - confidence) / 2) / log(low)
    if value == 0 and low == 0 and 0 < high < 1:
        return log((1 - confidence) / 2) / log(1 - high)
    if not 0 < low < value < high < 1:
        return None
    below, above = _logit(value) - _logit(low), _logit(high) - _logit(value)
    if not isclose(below, above, rel_tol=1e-6):
        return None
    # Wilson's interval, solved for the rows; its ends are as far apart in log-odds as these.
    return (z / (2 * sinh(below / 2))) ** 2 / (value * (1 - value))


def _logit(share: float) -> float:
    return log(share / (1 - share))
