"""Evidence as a number: an e-value, 1 when nothing is known.

It grows by bets against "no harm" that win nothing on average while there is none. So the chance that it is
ever 20, at any of any number of looks, is at most 1/20 (Ville's inequality; Ramdas, Gruenwald, Vovk and
Shafer, Statistical Science 2023;38:576).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, log

MOST = 700.0
"""Evidence is told up to e to the 700, far beyond any decision and still a float."""


def from_log(value: float) -> float:
    """Evidence from its logarithm."""
    return exp(min(value, MOST))


def mixed(logs: Sequence[float]) -> float:
    """The mean of several bets, each with an equal part of the money. Takes their logarithms."""
    peak = max(logs)
    return from_log(peak + log(fsum(exp(one - peak) for one in logs) / len(logs)))
