"""How far groups lie apart: the widest difference and the smallest ratio, with intervals that hold for all
pairs of groups at once.

The widest difference of ``k`` groups is a maximum over pairs, which is no smooth function of the groups where
they are alike: a bootstrap or the delta method of it covers too little there. So each pair gets an interval,
at a critical value at which all pairs are covered together; the widest true difference then lies between
the largest of their lower and the largest of their upper ends. With a critical value from the studentised
range (Tukey and Kramer; Hayter 1984, "A proof of the conjecture that the Tukey-Kramer multiple comparisons
procedure is conservative") and a score interval for each rate this is the method of Agresti, Bini, Bertaccini
and Ryu (2008), "Simultaneous confidence intervals for comparing binomial parameters". It covers at least
what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import inf, sqrt

from airflow_mlops.core.proportions import independent_difference
from airflow_mlops.core.values import Estimate


def widest_difference(groups: Sequence[Estimate]) -> Estimate:
    """The largest value minus the smallest; ``groups`` have intervals at the critical value of all pairs.

    An interval of a pair comes from the two groups' own. Raises ``ValueError`` for fewer than two groups.
    """
    _at_least_two(groups)
    pairs = [independent_difference(one, other) for one, other in permutations(groups, 2)]
    return Estimate(
        max(pair.value for pair in pairs),
        max(0.0, *(pair.low for pair in pairs)),
        max(pair.high for pair in pairs),
    )


def smallest_ratio(groups: Sequence[Estimate]) -> Estimate:
    """The smallest value over the largest, of shares. ``groups`` as for ``widest_difference``.

    An interval of a pair comes from the two groups' own (Donner and Zou 2012, "Closed-form confidence
    intervals for functions of the normal mean and standard deviation"). Raises ``ValueError`` for fewer than
    two groups, and where all values are 0.
    """
    _at_least_two(groups)
    values = [group.value for group in groups]
    if max(values) == 0:
        raise ValueError("the ratio is not defined: it is 0 in every group")
    highs = [_highest_ratio(one, other) for one, other in permutations(groups, 2)]
    # The least that a ratio can be is one over the most that its inverse can be, which is among the pairs.
    return Estimate(min(values) / max(values), min(1 / high for high in highs), min(1.0, *highs))


def _highest_ratio(one: Estimate, other: Estimate) -> float:
    below = other.low * (2 * other.value - other.low)
    if below <= 0:
        return inf
    product = one.value * other.value
    inner = product**2 - one.high * (2 * one.value - one.high) * below
    return (product + sqrt(max(inner, 0.0))) / below


def _at_least_two(groups: Sequence[Estimate]) -> None:
    if len(groups) < 2:
        raise ValueError(f"there is nothing to compare: {len(groups)} group")
