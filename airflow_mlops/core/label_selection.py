"""Are the answers whose labels have landed like the others? If not, what is measured on them is not the whole
truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlops.core.gates.multiple import corrected

SMALLEST_EFFECT = 0.2
"""Cohen (1988), "Statistical power analysis", calls a standardised difference of 0.2 small; less is found in
any two groups that are large enough."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of the answers with a label against those without.

    ``effect`` is the standardised mean difference of numbers (labelled minus unlabelled), and of categories
    the largest one among them; ``value`` names that category, for the page alone: it is a value of somebody's
    row. ``p_value`` is of no difference.
    """

    column: str
    effect: float
    p_value: float
    labelled: float
    unlabelled: float
    value: str = ""

    @property
    def reason(self) -> str:
        """In words and numbers, without a value of any row: it travels to the ledger and to alerts."""
        return self._said("share of one category" if self.value else "mean")

    @property
    def detail(self) -> str:
        """The same for the page, with the category."""
        return self._said(f"share of {self.value}" if self.value else "mean")

    def _said(self, of: str) -> str:
        return (
            f"{self.column}: {of} {self.labelled:.4g} with a label, {self.unlabelled:.4g} without "
            f"(effect {self.effect:+.2f}, p {self.p_value:.2g}, corrected)"
        )


def biased_columns(differences: Sequence[Difference], confidence: float) -> list[Difference]:
    """The columns in which the two surely differ, and by more than next to nothing; the largest effect first,
    p-values corrected for all columns (Benjamini and Hochberg)."""
    p_values = corrected([one.p_value for one in differences], "benjamini_hochberg")
    found = [
        Difference(one.column, one.effect, p_value, one.labelled, one.unlabelled, one.value)
        for one, p_value in zip(differences, p_values, strict=True)
        if p_value < 1 - confidence and abs(one.effect) >= SMALLEST_EFFECT
    ]
    return sorted(found, key=lambda one: -abs(one.effect))
