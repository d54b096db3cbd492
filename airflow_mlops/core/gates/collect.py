"""How many holdout rows would about decide what was left open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, isfinite
from statistics import NormalDist

from airflow_mlops.core.gates.bounds import DecideBy, within
from airflow_mlops.core.gates.rules import AgainstChampion, Measured, Rule, Threshold, loss
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate, Evaluation

POWER = 0.8


def rows_to_decide(rules: Sequence[Rule], evaluation: Evaluation, *, minimum_rows: int) -> int | None:
    """Rows with which every rule that is inconclusive now would decide with a chance of four in five, if what
    was seen is the truth; None where more rows decide nothing (nothing is open, or something else is wrong).

    An interval shrinks with the root of the rows. It clears a bound at distance d with probability ``POWER``
    when its half-width z*s/sqrt(n) is d*z/(z + z_power), from the sample size of a one-sided test (Chow, Shao
    and Wang, Sample Size Calculations in Clinical Research, 2008, section 3.1): so the rows grow by
    ((z + z_power)/z * half-width/d)^2. An estimate on its bound asks for more rows than there are.
    """
    if evaluation.rows < minimum_rows:
        return minimum_rows
    growths = [growth for rule in rules for growth in _open(rule, evaluation)]
    if not growths or not all(map(isfinite, growths)):
        return None
    return ceil(evaluation.rows * max(growths))


def _open(rule: Rule, evaluation: Evaluation) -> Iterator[float]:
    """For each estimate that its bounds do not decide, by how much the rows must grow."""
    confidence = evaluation.confidence
    match rule:
        case Threshold():
            estimate = evaluation.challenger.get(rule.metric)
            if estimate is not None:
                yield from _growth(estimate, rule.minimum, rule.maximum, rule.decide_by, confidence)
        case AgainstChampion():
            difference = evaluation.difference.get(rule.metric)
            if evaluation.champion_problem is not None:
                yield float("inf")
            elif difference is not None:
                theirs = evaluation.champion_metrics.get(rule.metric)
                most = rule.most_lost(theirs.value if theirs else 0.0)
                lost = loss(rule.metric, difference, rule.direction)
                yield from _growth(lost, None, most, rule.decide_by, confidence)
        case Measured():
            for finding in evaluation.findings:
                if finding.rule != rule.label:
                    continue
                if finding.problem is not None or not finding.measurements:
                    yield float("inf")
                for item in finding.measurements:
                    bounds = (rule.minimum, rule.maximum)
                    yield from _growth(item.estimate, *bounds, rule.decide_by, confidence)


def _growth(
    estimate: Estimate, minimum: float | None, maximum: float | None, decide_by: DecideBy, confidence: float
) -> Iterator[float]:
    if within(estimate, minimum, maximum, decide_by) != "inconclusive":
        return
    z = quantile(confidence)
    factor = (z + NormalDist().inv_cdf(POWER)) / z
    for bound in (minimum, maximum):
        if bound is not None and estimate.low < bound < estimate.high:
            towards = (
                estimate.high - estimate.value if bound > estimate.value else estimate.value - estimate.low
            )
            distance = abs(bound - estimate.value)
            yield (factor * towards / distance) ** 2 if distance > 0 else float("inf")
