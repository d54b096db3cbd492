"""How one number, or one class, is spread now against how it was spread on the reference."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from airflow_mlops.core.predictions import expected_by_chance, stability_index
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.quality import Spread
from airflow_mlops.core.values import Estimate

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles that are kept of numbers."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Distribution:
    """``counts`` are of the bins between ``edges``, which are rising and inner: one number fewer than bins.
    Without edges they are of the classes 0, 1, and so on. ``quantiles`` are of numbers, at ``LEVELS``."""

    spread: Spread
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()

    @property
    def rows(self) -> int:
        return self.spread.count


@dataclass(frozen=True, slots=True)
class Shift:
    """A distribution over the same bins twice. ``threshold`` is of the population stability index."""

    reference: Distribution
    window: Distribution
    threshold: float

    @property
    def index(self) -> float:
        """The population stability index, see ``core.predictions``."""
        return stability_index(*self._counts)

    @property
    def by_chance(self) -> float:
        """What the index of two samples of one distribution is on average."""
        return expected_by_chance(*self._counts)

    @property
    def drifted(self) -> bool:
        """Whether the index is at or above the threshold and what chance adds to it."""
        return self.index >= self.threshold + self.by_chance

    @property
    def change(self) -> Estimate:
        """The window's mean minus the reference's."""
        return mean_change(self.reference.spread, self.window.spread)

    @property
    def _counts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        # A class that only one side has met.
        before, after = self.reference.counts, self.window.counts
        bins = max(len(before), len(after))
        return before + (0,) * (bins - len(before)), after + (0,) * (bins - len(after))


@dataclass(frozen=True, slots=True)
class PredictionShift:
    """The champion's served scores against those on its holdout. ``entropy`` is 0 where the model is certain
    and 1 where all classes are equally probable, ``confidence`` is the most probable class's probability;
    each of the reference and of the window, and None where no class is predicted."""

    scores: Shift
    entropy: tuple[Spread, Spread] | None = None
    confidence: tuple[Spread, Spread] | None = None


def mean_change(reference: Spread, window: Spread, confidence: float = CONFIDENCE) -> Estimate:
    """The difference of two means with its normal interval (Welch's standard error): the rows of the two have
    nothing to do with each other."""
    value = window.mean - reference.mean
    error = (window.variance / window.count + reference.variance / reference.count) ** 0.5
    half = quantile(confidence) * error
    return Estimate(value, value - half, value + half)


def is_told_apart(change: Estimate) -> bool:
    """Whether a change is more than chance gives: its interval leaves 0 out."""
    return isfinite(change.value) and not change.low <= 0 <= change.high
