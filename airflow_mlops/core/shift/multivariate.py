"""Several columns together: can the window be told from the reference, and is that more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from airflow_mlops.core.gates.multiple import corrected

Method = Literal["domain_classifier", "mmd"]
THRESHOLDS: dict[Method, float] = {"domain_classifier": 0.65, "mmd": 0.02}
LEVEL = 0.01
"""A p-value above this may be chance, however large the effect."""


@dataclass(frozen=True, slots=True)
class Together:
    """What a method says of several columns at once.

    ``effect`` is the AUC of a classifier that tells window from reference (0.5: not at all, 1: always), or
    the share of the kernel distance between the two that is due to their difference (0 to 1, see
    ``backends.shift.mmd``). ``p_value`` is of the null that both are drawn alike. ``tells`` are the columns
    that tell the two apart, the most telling first, each with what the AUC loses without it.
    """

    name: str
    method: Method
    effect: float
    p_value: float
    rows: tuple[int, int]
    columns: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    threshold: float = 0.0
    tells: tuple[tuple[str, float], ...] = ()

    @property
    def drifted(self) -> bool:
        """An effect as large as the threshold that is not chance."""
        return self.effect >= self.threshold and self.p_value <= LEVEL

    @property
    def said(self) -> str:
        """One clause for people: numbers and names of columns."""
        side = "at or above" if self.effect >= self.threshold else "below"
        what = "AUC" if self.method == "domain_classifier" else "share of the kernel distance"
        telling = [column for column, lost in self.tells[:3] if lost > 0]
        by = f"; told apart by {', '.join(telling)}" if telling and self.drifted else ""
        return (
            f"{self.name} together ({self.method}): {what} {self.effect:.3f}, {side} the threshold "
            f"{self.threshold:g}, {chance(self.p_value)}{by}"
        )


def chance(p_value: float) -> str:
    """A p-value in words; of a very small one nobody knows the digits."""
    return "p < 0.001" if p_value < 0.001 else f"p {p_value:.2g}"


def judged(found: Sequence[Together], threshold: float | None) -> tuple[Together, ...]:
    """With the threshold (None: the method's own), and with p-values that are corrected for how many groups
    of columns were looked at (Holm 1979)."""
    p_values = corrected([one.p_value for one in found], "holm")
    return tuple(
        replace(one, p_value=p_value, threshold=THRESHOLDS[one.method] if threshold is None else threshold)
        for one, p_value in zip(found, p_values, strict=True)
    )
