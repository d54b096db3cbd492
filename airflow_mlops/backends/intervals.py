"""Intervals and tests of one statistic, or of the difference of two on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from airflow_mlops.backends.statistic import Statistic, Units
from airflow_mlops.backends.statistic_other import Maximum
from airflow_mlops.core import proportions
from airflow_mlops.core.metrics import KnownMetric
from airflow_mlops.core.proportions import Sided, certain
from airflow_mlops.core.values import Estimate


@dataclass(frozen=True, slots=True)
class Judged:
    """A statistic with what its interval must know: the ends of the metric (None for a user's own), the
    units, and how many of them at least show what is rare."""

    statistic: Statistic
    known: KnownMetric | None
    units: Units
    rarest: int

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the most that it can be."""
        return (-math.inf, math.inf) if self.known is None else (self.known.low, self.known.high)

    @property
    def is_bounded(self) -> bool:
        """Whether its interval is made on the logit scale between its ends."""
        return self.known is not None and self.known.direction == "higher" and math.isfinite(sum(self.ends))

    @property
    def by_counts(self) -> bool:
        """Whether it is a plain share of independent rows."""
        return self.statistic.proportion is not None and self.units.group is None


def single(judged: Judged, z: float) -> Estimate:
    """The interval of one metric."""
    value = judged.statistic.value
    if isinstance(judged.statistic, Maximum):
        return Estimate(value, value, math.inf)
    if judged.by_counts and judged.statistic.proportion is not None:
        hits, rows = judged.statistic.proportion.counts
        found = proportions.wilson(hits, rows, z) if rows else Estimate(value, 0.0, 1.0)
        return Estimate(value, found.low, found.high)
    error = _error(judged.statistic.influence(), judged)
    z = _stretched(z, judged)
    low, high = judged.ends
    if not judged.is_bounded:
        return Estimate(value, max(value - z * error, low), min(value + z * error, high))
    if not low < value < high:
        return _at_an_end(judged, z)
    middle, scale = _logit(value, low, high)
    return Estimate(
        value,
        _between(middle - z * error * scale, low, high),
        _between(middle + z * error * scale, low, high),
    )


def single_test(judged: Judged, bound: float) -> Sided:
    """The test that ``single`` inverts."""
    value = judged.statistic.value
    low, high = judged.ends
    if isinstance(judged.statistic, Maximum):
        return Sided(below=1.0, above=0.0 if value > bound else 1.0)
    if judged.by_counts and judged.statistic.proportion is not None:
        hits, rows = judged.statistic.proportion.counts
        return proportions.proportion_test(hits, rows, bound) if rows else Sided(1.0, 1.0)
    if not judged.is_bounded:
        return _z_test(value - bound, _error(judged.statistic.influence(), judged), judged)
    if not low < bound < high:
        return certain(value, bound)
    share = (bound - low) / (high - low)
    if value >= high:
        return Sided(below=1.0, above=share**judged.rarest)
    if value <= low:
        return Sided(below=(1 - share) ** judged.rarest, above=1.0)
    middle, scale = _logit(value, low, high)
    gap = middle - _logit(bound, low, high)[0]
    return _z_test(gap, _error(judged.statistic.influence(), judged) * scale, judged)


def paired(one: Judged, other: Statistic, z: float) -> Estimate:
    """The interval of ``one`` minus ``other``."""
    value = one.statistic.value - other.value
    if isinstance(other, Maximum):
        return Estimate(value, -math.inf, math.inf)
    if (counts := _discordant(one, other)) is not None:
        found = proportions.paired_difference(*counts, z)
        return Estimate(value, found.low, found.high)
    error = _error(one.statistic.influence() - other.influence(), one) * _stretched(z, one)
    return Estimate(value, value - error, value + error)


def paired_test(one: Judged, other: Statistic, bound: float) -> Sided:
    """The test that ``paired`` inverts."""
    if isinstance(other, Maximum):
        return Sided(1.0, 1.0)
    if (counts := _discordant(one, other)) is not None:
        return proportions.paired_test(*counts, bound)
    gap = one.statistic.value - other.value - bound
    return _z_test(gap, _error(one.statistic.influence() - other.influence(), one), one)


def from_deviations(
    judged: Judged, deviations: Any, confidence: float, against: Statistic | None = None
) -> Estimate:
    """The percentile interval. At an end of what a share can be no resample differs, although more rows
    might: there the exact bound stands in."""
    import numpy as np

    value = judged.statistic.value
    if against is not None:
        value -= against.value
    known = deviations[~np.isnan(deviations)]
    if not len(known):
        return Estimate(value, -math.inf, math.inf)
    below, above = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = value + float(below), value + float(above)
    if against is not None:
        return Estimate(value, low, high)
    least, most = judged.ends
    if judged.is_bounded and not least < value < most:
        return _at_an_end(judged, proportions.quantile(confidence))
    return Estimate(value, max(low, least), min(high, most))


def tail_shares(value: float, deviations: Any, bound: float) -> Sided:
    """Of the resamples and the sample itself, the shares at or above the bound, and at or below it."""
    import numpy as np

    known = value + deviations[~np.isnan(deviations)]
    count = len(known) + 1
    return Sided(
        below=float((known >= bound).sum() + 1) / count, above=float((known <= bound).sum() + 1) / count
    )


def _discordant(one: Judged, other: Statistic) -> tuple[int, int, int] | None:
    """Rows that only the first hits, rows that only the second hits, and all that count; None where the two
    are no shares of the same independent rows."""
    ours, theirs = one.statistic.proportion, other.proportion
    if not one.by_counts or ours is None or theirs is None or not ours.by_label:
        return None
    among = slice(None) if ours.among is None else ours.among
    hit, their_hit = ours.hit[among], theirs.hit[among]
    return int((hit & ~their_hit).sum()), int((~hit & their_hit).sum()), len(hit)


def _error(influence: Any, judged: Judged) -> float:
    """The standard error: over rows, or over the sums of whole groups."""
    import numpy as np

    group, count = judged.units.group, len(influence)
    if group is None or judged.statistic.per_unit:
        return float((influence**2).sum() ** 0.5 / count)
    sums, groups = np.bincount(group, influence), judged.units.count
    return float((sums**2).sum() ** 0.5 / count * (groups / (groups - 1)) ** 0.5)


def _stretched(z: float, judged: Judged) -> float:
    """Student's quantile where there are few groups; rows are many."""
    return z if judged.units.group is None else proportions.student(z, judged.units.count - 1)


def _z_test(gap: float, error: float, judged: Judged) -> Sided:
    if error <= 0:
        return certain(gap, 0.0)
    t = gap / error
    return proportions.sided(
        t if judged.units.group is None else proportions.normal(t, judged.units.count - 1)
    )


def _at_an_end(judged: Judged, z: float) -> Estimate:
    """At exactly the best or the worst the rows show no spread, although more rows might: then the bound is
    that of Clopper and Pearson for as many hits as the rarest class has rows."""
    low, high = judged.ends
    value = min(max(judged.statistic.value, low), high)
    unseen = proportions.sided(z).above ** (1 / judged.rarest)
    inner = low + (high - low) * (unseen if value >= high else 1 - unseen)
    return Estimate(value, inner, high) if value >= high else Estimate(value, low, inner)


def _logit(value: float, low: float, high: float) -> tuple[float, float]:
    """The place on the logit scale, and by how much that stretches a small step."""
    share = (value - low) / (high - low)
    return math.log(share / (1 - share)), 1 / (share * (1 - share) * (high - low))


def _between(place: float, low: float, high: float) -> float:
    share = 0.0 if place < -700 else 1 / (1 + math.exp(-place))
    return low + (high - low) * share
