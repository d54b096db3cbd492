"""Many looks at once: p-values corrected for how many there were, and the level that each look has then.

Holm (1979), "A simple sequentially rejective multiple test procedure", keeps the chance of any false
accusation at the level, however the looks depend on each other. Benjamini and Hochberg (1995), "Controlling
the false discovery rate", keeps the expected share of false ones among the accusations, for looks that are
independent or depend positively on each other; where nothing is wrong anywhere the two promise the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, assert_never

Correction = Literal["holm", "benjamini_hochberg", "none"]


def corrected(p_values: Sequence[float], correction: Correction, family: int | None = None) -> list[float]:
    """Each p-value as it counts among all looks, in the order given; at most 1.

    ``family`` is how many looks there could have been where these are the ones that were worth a look: the
    others count as looks that found nothing. Raises ``ValueError`` where it is smaller than what is there.
    """
    return [
        min(1.0, p_value * factor)
        for p_value, factor in zip(p_values, factors(p_values, correction, family), strict=True)
    ]


def factors(p_values: Sequence[float], correction: Correction, family: int | None = None) -> list[float]:
    """By how much a look's own level is below the whole's. Its interval at ``level / factor`` is beyond a
    bound exactly where the corrected p-value of that bound is below ``level``."""
    looks = len(p_values) if family is None else family
    if looks < len(p_values):
        raise ValueError(f"{len(p_values)} looks are more than the {looks} there could have been")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    match correction:
        case "none":
            return [1.0] * len(p_values)
        case "holm":
            return _running(p_values, order, [float(looks - rank) for rank in range(len(order))], max)
        case "benjamini_hochberg":
            steps = [looks / (rank + 1) for rank in range(len(order))]
            return _running(p_values, order[::-1], steps[::-1], min)
    assert_never(correction)


def _running(
    p_values: Sequence[float],
    order: Sequence[int],
    steps: Sequence[float],
    kept: Callable[[float, float], float],
) -> list[float]:
    """The running largest (or smallest) of ``p_value * step`` along the order, over the p-value itself."""
    found, so_far = [1.0] * len(order), p_values[order[0]] * steps[0] if order else 0.0
    for index, step in zip(order, steps, strict=True):
        so_far = kept(so_far, p_values[index] * step)
        found[index] = so_far / p_values[index] if p_values[index] else step
    return found
