"""Is a share what it should be, and between which bounds does it lie?"""

from __future__ import annotations

from math import inf, lgamma, log, log1p

from airflow_mlops.core.sequential.evidence import from_log


def share_evidence(hits: int, rows: int, low: float, high: float) -> float:
    """Evidence that the share of hits is not between ``low`` and ``high``.

    The sequential multinomial test (Lindon and Malek, "Anytime-valid inference for multinomial count data",
    NeurIPS 2022) of two categories: what a share that could be anything (uniform) makes of the counts,
    over what the share in the range that fits them best makes of them. Raises ``ValueError`` for counts or
    bounds that cannot be.
    """
    if not 0 <= hits <= rows:
        raise ValueError(f"{hits} hits in {rows} rows cannot be")
    if not 0 <= low <= high <= 1:
        raise ValueError(f"no share lies between {low} and {high}")
    nearest = min(max(hits / rows if rows else low, low), high)
    return from_log(_against(hits, rows, nearest))


def share_sequence(hits: int, rows: int, alpha: float = 0.05) -> tuple[float, float]:
    """``(low, high)``: every share that has no evidence of ``1 / alpha`` against it.

    The true share is ever outside with a chance of at most ``alpha``, however often one looks; exact, for
    any number of rows that are independent of each other.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is a chance between 0 and 1, not {alpha}")
    share_evidence(hits, rows, 0.0, 1.0)
    if rows == 0:
        return 0.0, 1.0
    limit, seen = -log(alpha), hits / rows
    return _crossing(hits, rows, 0.0, seen, limit), _crossing(hits, rows, 1.0, seen, limit)


def _against(hits: int, rows: int, share: float) -> float:
    """The logarithm of the evidence against one share."""
    misses = rows - hits
    if (hits and share <= 0) or (misses and share >= 1):
        return inf
    anything = lgamma(hits + 1) + lgamma(misses + 1) - lgamma(rows + 2)
    return anything - (hits * log(share) if hits else 0.0) - (misses * log1p(-share) if misses else 0.0)


def _crossing(hits: int, rows: int, outside: float, inside: float, limit: float) -> float:
    """Between a share that may be refuted and one that is not, the last one that is not; at most a
    millionth too far out."""
    if _against(hits, rows, outside) < limit:
        return outside
    while abs(outside - inside) > 1e-6:
        middle = (outside + inside) / 2
        if _against(hits, rows, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside
