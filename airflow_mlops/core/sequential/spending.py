"""A test that is looked at while its rows come in, where it is known how many there will be."""

from __future__ import annotations

from statistics import NormalDist

_NORMAL = NormalDist()


def critical_value(level: float, share: float, *, before: float = 0.0, last: bool = False) -> float:
    """How many standard errors a look must be beyond the bound, so that the chance of a false alarm at any of
    all looks is at most ``level`` (one-sided).

    ``share`` of the rows are there at this look, ``before`` were at the last one that could decide (0 where
    this is the first). ``last`` is said before the rows are looked at: no look comes after this one.

    The sum over rows behaves as Brownian motion on the shares, which ever reaches ``c`` by the share ``t``
    with the chance ``2 - 2 Phi(c / sqrt(t))`` (the reflection principle). With ``c`` such that this is
    ``level`` at the end, each look at ``t`` asks for ``c / sqrt(t)``: the boundary of O'Brien and Fleming
    (1979, Biometrics 35:549) with the spending function of Lan and DeMets (1983, Biometrika 70:659, alpha*_1)
    for any number of looks, at any shares. The last look takes what the looks before have left, where that
    asks for less; it is all of it where there were none.

    Holds for any mean or sum of rows, and whatever behaves as one with many rows (an AUC does); noise that
    all looks share, as that of a promise, makes false alarms rarer (Slepian's inequality). Rows must come in
    an order that has nothing to do with what they say.

    Raises ``ValueError`` for shares or levels that cannot be.
    """
    if not 0 < level < 0.5 or not 0 < share <= 1 or not 0 <= before < share:
        raise ValueError(f"no look at {share} of the rows comes after one at {before} (level {level})")
    crossing = _beyond(level / 2)
    asked = crossing / share**0.5
    if not last:
        return float(asked)
    spent = 0.0 if before == 0 else 2 * _NORMAL.cdf(-crossing / before**0.5)
    return float(min(asked, _beyond(level - spent)))


def _beyond(chance: float) -> float:
    """The standard normal value that is exceeded with this chance."""
    return -_NORMAL.inv_cdf(chance) if chance > 0 else float("inf")
