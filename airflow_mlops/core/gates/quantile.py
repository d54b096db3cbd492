"""A quantile of what was measured, with an interval that assumes nothing about its distribution."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, lgamma, log

from airflow_mlops.core.values import Estimate


def quantile(values: Sequence[float], share: float, confidence: float) -> Estimate:
    """The smallest value that at least ``share`` of the values do not exceed, and its interval.

    The number of values below the true quantile is binomial, whatever they are distributed as, so two of
    the sorted values hold it between them (David and Nagaraja, "Order Statistics", 2003, section 7.1). An
    end that so few values cannot tell is infinite.
    """
    if not values:
        raise ValueError("there is nothing to take a quantile of")
    ordered, n = sorted(values), len(values)
    tail = (1 - confidence) / 2
    below = _cumulative(n, share)
    # P(the l-th smallest > the quantile) = P(fewer than l below) <= tail, and the same from above.
    low = max((rank for rank in range(1, n + 1) if below[rank - 1] <= tail), default=0)
    high = min((rank for rank in range(1, n + 1) if 1 - below[rank - 1] <= tail), default=n + 1)
    return Estimate(
        ordered[max(ceil(share * n), 1) - 1],
        ordered[low - 1] if low else float("-inf"),
        ordered[high - 1] if high <= n else float("inf"),
    )


def fewest_for_quantile(share: float, confidence: float) -> int:
    """How many values an interval with both ends needs."""
    tail = (1 - confidence) / 2
    return max(ceil(log(tail) / log(share)), ceil(log(tail) / log(1 - share)))


def _cumulative(n: int, share: float) -> list[float]:
    """P(at most k of n) for k of 0 to n."""
    total, sums = 0.0, []
    for k in range(n + 1):
        ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
        total += exp(ways + k * log(share) + (n - k) * log(1 - share))
        sums.append(min(total, 1.0))
    return sums
