"""How the judge tells its numbers."""

from __future__ import annotations

from math import ceil, isinf, log, log10

BEYOND_DOUBT = 1e6
PRICE = log(4)
"""Of the seven or so bets that share the money, about two are near the truth."""


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.0095 else f"{1000 * seconds:.2g} ms"


def strength(evidence: float, needed: float) -> str:
    """How strong the evidence is, and how strong it must be."""
    if evidence > BEYOND_DOUBT:
        return "beyond doubt"
    digits = 0 if evidence >= 10 else 1
    return f"evidence {evidence:.{digits}f}, {needed:.0f} needed"


def rows_to_decide(evidence: float, needed: float, rows: int) -> str:
    """About how many more rows would prove it if all goes on as it did, as the end of a sentence.

    The logarithm of what the right bet has won grows with the rows, as long as the rates stay what they are;
    what all bets together have won lags behind it by their price. Nothing is said of evidence below 1.
    """
    if not 1 <= evidence < needed or isinf(needed):
        return ""
    more = rows * ((log(needed) + PRICE) / (log(evidence) + PRICE) - 1)
    return f"; about {rounded(more)} more rows like these would decide"


def rounded(number: float) -> str:
    """Up to two digits that count: a guess that looks exact is believed."""
    size = 10 ** max(0, int(log10(max(number, 1))) - 1)
    return f"{ceil(number / size) * size:,}"
