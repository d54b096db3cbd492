"""Is a rate above a limit?"""

from __future__ import annotations

from math import inf, log, log1p

from airflow_mlops.core.sequential.evidence import mixed

ALTERNATIVES = 8
"""The rates that are weighed against the limit are limit**(1/8), limit**(2/8) ... limit**(7/8)."""


def rate_evidence(hits: int, trials: int, limit: float) -> float:
    """Evidence that hits come at a rate above ``limit``; 1 before the first trial.

    The mean likelihood ratio of fixed rates above the limit against the limit itself. Each ratio is a
    supermartingale whenever the true rate is at or below the limit, also where it moves about below it.
    Trials are taken as independent: of things that happen together, count one.

    Raises ``ValueError`` for counts that cannot be.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits in {trials} trials cannot be")
    if limit > 1 - 1e-9:  # no rate can be told from one above it
        return 1.0
    if limit <= 0:
        return inf if hits else 1.0
    ratios = []
    for step in range(1, ALTERNATIVES):
        rate = limit ** (step / ALTERNATIVES)
        ratios.append(hits * log(rate / limit) + (trials - hits) * (log1p(-rate) - log1p(-limit)))
    return mixed(ratios)
