"""Whether two versions' predictions are spread alike: a warning for a reader, never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from airflow_mlops.core.values import Observation

_HALF = 0.5


def stability_index(reference: Sequence[int], current: Sequence[int]) -> float:
    """The population stability index of two histograms over the same bins: the sum over the bins of
    ``(q - p) ln(q / p)``, the symmetric form of Kullback and Leibler's divergence (Siddiqi, Credit Risk
    Scorecards, 2006; from 0.1 on some shift, from 0.25 a large one). Half a row is put into each bin, so that
    an empty one does not make it infinite. Raises ``ValueError`` for different bins."""
    whole_p, whole_q = (sum(counts) + _HALF * len(counts) for counts in (reference, current))
    total = 0.0
    for before, after in zip(reference, current, strict=True):
        p, q = (before + _HALF) / whole_p, (after + _HALF) / whole_q
        total += (q - p) * log(q / p)
    return total


def expected_by_chance(reference: Sequence[int], current: Sequence[int]) -> float:
    """What the index of two samples of one distribution is on average: it grows with the bins and shrinks
    with the rows, ``(bins - 1) (1/n + 1/m)`` (Yurdakul, Statistical Properties of Population Stability Index,
    2018, chapter 3)."""
    bins = sum(1 for before, after in zip(reference, current, strict=True) if before + after)
    return max(bins - 1, 0) * (1 / sum(reference) + 1 / sum(current))


def prediction_warning(observation: Observation, max_psi: float, *, minimum_rows: int) -> str | None:
    """What a person should know of the arms' predictions, or None. Not of arms with fewer than
    ``minimum_rows`` predictions, nor of targets that keep no histogram."""
    champion, challenger = observation.champion, observation.challenger
    if champion is None or challenger is None or len(champion.scores) != len(challenger.scores):
        return None
    if not champion.scores or min(sum(champion.scores), sum(challenger.scores)) < minimum_rows:
        return None
    psi = stability_index(champion.scores, challenger.scores)
    chance = expected_by_chance(champion.scores, challenger.scores)
    if psi <= max_psi + chance:
        return None
    means = ""
    if champion.mean_score is not None and challenger.mean_score is not None:
        means = f"; on average {challenger.mean_score:.3g}, the champion's {champion.mean_score:.3g}"
    return (
        f"warning: the predictions are spread otherwise than the champion's (PSI {psi:.2f}, {chance:.2f} by "
        f"chance, limit {max_psi:g}{means}); that is no verdict"
    )
