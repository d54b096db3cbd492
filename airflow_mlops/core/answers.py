"""How far two lists of a model's answers are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

SAME_ANSWER = 1e-6
"""A model that was saved and loaded answers within this of what it answered before."""

BINARY_TOLERANCE = 0.2
RELATIVE_TOLERANCE = 0.1
"""How far two versions' answers to one row may lie apart before they disagree: see ``disagree``."""

Answers = Sequence[float] | Sequence[Sequence[float]]


def largest_difference(left: Answers, right: Answers) -> float:
    """The largest difference of two lists of answers of one shape, as a part of the answer where that is
    beyond 1; infinite where shapes differ or an answer is not a number.
    """
    if len(left) != len(right):
        return math.inf
    worst = 0.0
    for one, other in zip(left, right, strict=True):
        ones = one if isinstance(one, Sequence) else [one]
        others = other if isinstance(other, Sequence) else [other]
        if len(ones) != len(others):
            return math.inf
        worst = max([worst, *(_difference(a, b) for a, b in zip(ones, others, strict=True))])
    return worst


def _difference(one: float, other: float) -> float:
    found = abs(one - other) / max(1.0, abs(one))
    return found if math.isfinite(found) else math.inf  # max() passes over what is not a number
