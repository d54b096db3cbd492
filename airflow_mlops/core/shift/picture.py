"""What a page draws of one column: shares of rows, on the reference and in the window."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars over the same bins or values for both sides; each side's shares, with its share of missing
    values, add up to 1. ``low`` and ``high`` are the ends of the bins of numbers; what lies beyond them is
    in the first and the last bin. ``names`` are the values of categories."""

    column: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    missing: tuple[float, float] = (0.0, 0.0)
    low: float = 0.0
    high: float = 0.0
    names: tuple[str, ...] = ()
