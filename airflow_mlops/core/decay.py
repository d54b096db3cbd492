"""From a metric on landed labels to a signal: has the model decayed, as a whole or in a slice?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from airflow_mlops.core.gates import loss
from airflow_mlops.core.gates.multiple import Correction, factors
from airflow_mlops.core.metrics import Direction, direction_of
from airflow_mlops.core.proportions import certain, independent_difference, quantile
from airflow_mlops.core.values import Estimate, Outcome, Verdict


def decay_verdict(
    metric: str,
    observed: Estimate,
    promise: Estimate,
    *,
    tolerance: float,
    labels: int,
    minimum_labels: int,
    direction: Direction | None = None,
    widening: float = 1.0,
) -> Verdict:
    """Is the metric on landed labels worse than promised at promotion by more than ``tolerance``?

    Fail means decayed for sure: the whole interval of what was lost lies beyond the tolerance.
    Inconclusive: only the point does, or there are fewer than ``minimum_labels``. A promise from two weeks
    of holdout swings as well, so what was lost has an interval made of both (see ``lost``).

    Where labels are looked at again and again while they land, each look must be surer than one alone would
    have to be: the interval counts ``widening`` times as wide (see ``core.sequential.critical_value``).

    ``direction`` is that of a metric of somebody's own. Raises ``ValueError`` where it is unknown.
    """
    gap = lost(metric, observed, promise, direction)
    if labels < minimum_labels:
        return Verdict("inconclusive", (f"{labels} of {minimum_labels} labels have landed",))
    limit = promise.value + (-tolerance if direction_of(metric, direction) == "higher" else tolerance)
    fact = f"{metric} {observed} on {labels} labels; {promise} was promised"
    beyond = f"the limit {limit:z.4f} (tolerance {tolerance:.4f})"
    if gap.value - widening * (gap.value - gap.low) > tolerance:
        return Verdict("fail", (f"{fact}, and it is surely worse than {beyond}",))
    if gap.low > tolerance:
        surer = f"a look before all labels are there must be {widening:.2f} times as sure"
        return Verdict("inconclusive", (f"{fact}; worse than {beyond}, but {surer}",))
    if gap.value > tolerance:
        return Verdict("inconclusive", (f"{fact}; worse than {beyond}, but the intervals reach it",))
    return Verdict("pass", (f"{fact}; no worse than {beyond}",))


def lost(metric: str, observed: Estimate, promise: Estimate, direction: Direction | None = None) -> Estimate:
    """How much worse than promised, in the metric's unit, with the uncertainty of both: holdout and served
    rows have nothing to do with each other, so their intervals add up as squares."""
    return loss(metric, independent_difference(observed, promise), direction)


@dataclass(frozen=True, slots=True)
class SlicePerformance:
    """A slice as it was promised (on the champion's holdout) and as it is."""

    name: str
    observed: Estimate
    promise: Estimate
    labels: int


@dataclass(frozen=True, slots=True)
class JudgedSlice:
    """``p_value`` is one-sided, of no loss beyond the tolerance, and corrected for all slices."""

    slice: SlicePerformance
    lost: Estimate
    p_value: float
    outcome: Outcome

    @property
    def reason(self) -> str:
        """In words and numbers."""
        one = self.slice
        return (
            f"{one.name}: {one.observed} on {one.labels} labels where {one.promise} was promised "
            f"(p {self.p_value:.2g}, corrected)"
        )


def judge_slices(
    metric: str,
    slices: Sequence[SlicePerformance],
    *,
    tolerance: float,
    confidence: float,
    correction: Correction,
    direction: Direction | None = None,
) -> list[JudgedSlice]:
    """Each slice against its own promise, the worst first. ``fail`` where the corrected p-value is below the
    level of a one-sided interval; ``inconclusive`` where only the point is beyond the tolerance."""
    gaps = [lost(metric, one.observed, one.promise, direction) for one in slices]
    p_values = [_p_value(gap, tolerance, confidence) for gap in gaps]
    steps = factors(p_values, correction)
    level = (1 - confidence) / 2
    judged = []
    for one, gap, p_value, step in zip(slices, gaps, p_values, steps, strict=True):
        corrected = min(1.0, p_value * step)
        outcome: Outcome = (
            "fail" if corrected < level else "inconclusive" if gap.value > tolerance else "pass"
        )
        judged.append(JudgedSlice(one, gap, corrected, outcome))
    return sorted(judged, key=lambda item: (item.p_value, -item.lost.value))


def _p_value(gap: Estimate, tolerance: float, confidence: float) -> float:
    """Of the null that no more than the tolerance was lost. The standard error is that of the lower half of
    the interval, which is the one that has to clear it."""
    error = (gap.value - gap.low) / quantile(confidence)
    if not error > 0:
        return certain(gap.value, tolerance).above
    return 1 - NormalDist().cdf((gap.value - tolerance) / error)
