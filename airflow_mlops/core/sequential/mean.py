"""A mean that may be looked at after every value: an interval that holds at all looks together."""

from __future__ import annotations

from math import inf, isfinite, log, sqrt
from typing import Literal

FEWEST = 100
"""Below so many values nothing is said: the interval leans on the central limit theorem."""

PRIOR = 4
"""Found by simulation: see ``tests/core/sequential/test_mean.py``."""


def confidence_sequence(
    count: int,
    mean: float,
    variance: float,
    alpha: float = 0.05,
    *,
    sides: Literal["both", "one"] = "both",
    widest: float | None = None,
    tightest_at: int = 1_000,
) -> tuple[float, float]:
    """``(low, high)`` around the mean of ``count`` values seen so far, with their ``variance``.

    The chance that the true mean is ever outside, at any of any number of looks, is about ``alpha``; with
    ``sides="one"`` that is said of each end alone, for whoever asks about one of them (is the mean below a
    margin? then ``high``). ``widest`` is the distance between the smallest and the largest value that can
    be, as 2 for a difference of two losses of 0 or 1; with it the variance never shrinks to 0 just because
    the first values happened to be equal. ``tightest_at`` is the count at which the interval is narrowest
    for its ``alpha``; it is valid at every other as well, and little wider within a factor of ten.

    ``(-inf, inf)`` where nothing can be said: before ``FEWEST`` values, or where they do not vary and
    ``widest`` is not known.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
    confidence sequences", Annals of Statistics 2024;52:2613 (arXiv:2103.06476): theorem 2.2, for one side
    the half-normal mixture of its appendix. The values are taken as independent of each other; asymptotic,
    so that heavy tails need more values than ``FEWEST``.

    Raises ``ValueError`` for numbers that cannot be.
    """
    if count < 0 or not variance >= 0 or not 0 < alpha < 1 or tightest_at < 1:
        raise ValueError(f"no {count} values have variance {variance} (alpha {alpha})")
    if widest is not None and not widest > 0:
        raise ValueError(f"values that lie at most {widest} apart do not vary at all")
    if widest is not None:
        # As if PRIOR more values lay half the range from the mean: where losses differ on few rows, the first
        # hundred often show no difference at all, and one such value would still cover too seldom.
        variance = (count * variance + PRIOR * widest * widest / 4) / (count + PRIOR)
    if count < FEWEST or variance == 0 or not isfinite(mean) or not isfinite(variance):
        return -inf, inf
    margin = sqrt(variance) * _margin(count, alpha, sides, tightest_at)
    return mean - margin, mean + margin


def _margin(count: int, alpha: float, sides: Literal["both", "one"], tightest_at: int) -> float:
    """Half the interval's width, in standard deviations of one value."""
    two_sided = alpha if sides == "both" else min(2 * alpha, 0.999)
    # The mixture's variance that makes the margin smallest at tightest_at (the paper's appendix B.2).
    spread = (-2 * log(two_sided) + log(1 - 2 * log(two_sided))) / tightest_at
    grown = count * spread + 1
    inner = sqrt(grown) / alpha if sides == "both" else 1 + sqrt(grown) / (2 * alpha)
    return sqrt(2 * grown / (count * count * spread) * log(inner))
