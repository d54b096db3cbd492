"""Is a quantile above a limit, or above a multiple of another's? From counts between common edges.

``counts`` has one number more than ``edges``: what lies below the first, between each two, and from the
last on. Nothing finer is known, so where a bound falls between two edges, the one that proves less is taken.

The evidence about one fixed point is that of a rate: how much more often than ``1 - quantile`` is a value
at or beyond it? Turned around, the points without evidence against them are the time-uniform bounds of one
quantile of Howard and Ramdas ("Sequential estimation of quantiles", Bernoulli 2022;28:1704, theorem 1),
narrower than their band around the whole distribution, that Lindon, Sanden and Shirikian use for canaries
(KDD 2022, arXiv:2205.14762). Values are taken as independent of each other within an arm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt

from airflow_mlops.core.sequential.rate import rate_evidence


def above_evidence(counts: Sequence[int], edges: Sequence[float], quantile: float, limit: float) -> float:
    """Evidence that this quantile is above ``limit``."""
    below = _below(counts, edges)
    place = bisect_left(edges, limit)
    return 1.0 if place == len(edges) else _above(below, place, quantile)


def ratio_evidence(
    challenger: Sequence[int], champion: Sequence[int], edges: Sequence[float], quantile: float, ratio: float
) -> float:
    """Evidence that the challenger's quantile is more than ``ratio`` times the champion's.

    Proof takes one point: the champion's quantile is proven to be below it, and the challenger's above
    ``ratio`` times it. If the claim is false, one of the two is false at the champion's true quantile, and
    has no more evidence at the points where the other one has more; so the smaller of the two, at the best
    point, is ever ``2 / alpha`` with a chance of at most ``alpha``. Half of it is the evidence.
    """
    ours, theirs = _below(challenger, edges), _below(champion, edges)
    beyond = [bisect_left(edges, ratio * edge) for edge in edges]
    low, high = 0, bisect_left(beyond, len(edges))
    if high == 0:
        return 0.5

    def slower(place: int) -> float:
        return _above(ours, beyond[place], quantile)

    def faster(place: int) -> float:
        return rate_evidence(theirs[place], theirs[-1], quantile)

    # The one falls and the other rises from point to point: the best is where they cross.
    last = high - 1
    while low < high:
        middle = (low + high) // 2
        if faster(middle) >= slower(middle):
            high = middle
        else:
            low = middle + 1
    points = {max(low - 1, 0), min(low, last)}
    return max(min(slower(place), faster(place)) for place in points) / 2


def quantile_of(counts: Sequence[int], edges: Sequence[float], quantile: float) -> float | None:
    """Where the quantile lies: the (geometric) middle between its edges; None without a value."""
    total = sum(counts)
    if not total:
        return None
    cumulated = list(accumulate(counts))
    place = bisect_left(cumulated, max(quantile * total, 1e-9))
    return _middle(min(place, len(counts) - 1), edges)


def _below(counts: Sequence[int], edges: Sequence[float]) -> list[int]:
    """How many values lie below each edge, and at the end, how many there are."""
    if len(counts) != len(edges) + 1:
        raise ValueError(f"{len(edges)} edges part values into {len(edges) + 1} counts, not {len(counts)}")
    return list(accumulate(counts))


def _above(below: Sequence[int], place: int, quantile: float) -> float:
    return rate_evidence(below[-1] - below[place], below[-1], 1 - quantile)


def _middle(place: int, edges: Sequence[float]) -> float:
    if len(edges) == 1:
        return edges[0]
    if place == 0:  # as wide as its neighbour
        return edges[0] * sqrt(edges[0] / edges[1])
    if place == len(edges):
        return edges[-1] * sqrt(edges[-1] / edges[-2])
    return sqrt(edges[place - 1] * edges[place])
