"""How far two distributions lie apart, and whether chance explains it.

Each method gives an effect size, which does not grow with the rows, and a p-value of the null that both sides
were drawn from one distribution. Sources: Siddiqi (2006), "Credit risk scorecards", for the population
stability index; Lin (1991), "Divergence measures based on the Shannon entropy"; Pearson (1900) for
chi-squared and Cramér (1946), "Mathematical methods of statistics", ch. 21, for its effect; Smirnov (1939)
for the largest gap between two distribution functions; Vallender (1974), "Calculation of the Wasserstein
distance between probability distributions on the line", for the area between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlops.backends.drift.numbers import NumberCounts, NumberProfile
from airflow_mlops.core.drift import DriftMethod

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINS = 10
SMALLEST_SHARE = 1e-4
"""What an empty bin counts as in the stability index, which has no value for it."""
_FEWEST_EXPECTED = 5.0
_LEAST_EXPECTED = 1.0
_OTHERS = 4


@dataclass(frozen=True, slots=True)
class Effect:
    """``size`` is the method's own measure, ``p_value`` of the test that goes with it."""

    size: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Binned:
    """Both sides counted in the same bins, in an order that has nothing to do with the counts."""

    reference: NDArray[np.int64]
    current: NDArray[np.int64]

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.reference / self.reference.sum(), self.current / self.current.sum()

    @property
    def without_empty(self) -> Binned:
        """Without the bins that nothing is in on either side."""
        some = (self.reference > 0) | (self.current > 0)
        return Binned(self.reference[some], self.current[some])


def effect_of_bins(method: DriftMethod, binned: Binned) -> Effect:
    """Of the methods that compare shares. Their test is Pearson's, of one distribution over the bins."""
    size = {"psi": _psi, "jensenshannon": _jensenshannon, "chi_squared": _cramers_v}[method](binned)
    return Effect(size, chi_squared_p(binned))


def effect_of_numbers(method: DriftMethod, profile: NumberProfile, counts: NumberCounts) -> Effect:
    """Of any method on a column of numbers. Both sides have values. The distance in standard deviations has
    no simple test of its own: that of the largest gap asks the same question."""
    if method not in ("ks", "wasserstein"):
        return effect_of_bins(method, deciles(profile, counts))
    gap = _largest_gap(profile, counts)
    p_value = smirnov_p(gap, profile.rows, counts.rows)
    return Effect(gap if method == "ks" else _wasserstein(profile, counts), p_value)


def deciles(profile: NumberProfile, counts: NumberCounts) -> Binned:
    """Both sides in the parts that hold a tenth of the reference each. A value that alone has a tenth of it
    is a bin by itself: else a column that is mostly zero would be one bin."""
    import numpy as np

    ranks = -(-np.arange(1, BINS) * profile.rows // BINS)
    at = np.unique(np.searchsorted(profile.upto, ranks))
    alone = (profile.upto[at] - profile.below[at]) * BINS >= profile.rows
    bins = []
    for side in (profile, counts):
        ends = np.sort(np.concatenate((side.upto[at], side.below[at[alone]])))
        bins.append(np.diff(ends, prepend=0, append=side.rows))
    return Binned(*bins).without_empty


def _psi(binned: Binned) -> float:
    import numpy as np

    reference, current = (np.maximum(shares, SMALLEST_SHARE) for shares in binned.shares)
    return float(np.sum((current - reference) * np.log(current / reference)))


def _jensenshannon(binned: Binned) -> float:
    """The distance, by logarithms of base 2: from 0 to 1."""
    import numpy as np

    reference, current = binned.shares
    middle = (reference + current) / 2
    divergence = 0.0
    for shares in (reference, current):
        some = shares > 0
        divergence += float(np.sum(shares[some] * np.log2(shares[some] / middle[some]))) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _cramers_v(binned: Binned) -> float:
    """Of two samples of equal size with these shares, from 0 to 1: how many rows each has plays no part."""
    import numpy as np

    reference, current = binned.shares
    return float(np.sqrt(np.sum((reference - current) ** 2 / (reference + current)) / 2))


def chi_squared_p(binned: Binned) -> float:
    """Pearson's test of homogeneity, over bins that are large enough for it: see ``_pooled``."""
    import numpy as np
    from scipy.special import chdtrc

    table = _pooled(np.stack((binned.reference, binned.current)).astype(np.float64))
    if table.shape[1] < 2:
        return 1.0
    rows = table.sum(axis=1, keepdims=True)
    expected = rows * table.sum(axis=0) / rows.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return float(chdtrc(table.shape[1] - 1, statistic))


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins in which fewer than five rows are expected on a side go together, the smallest first and no more
    than make five: so rare categories are held against each other too. What is left of them may stay a bin
    where a row is expected in it and four others have five (Cochran 1954, "Some methods for strengthening the
    common chi-squared tests": one expectation in five may be as low as one); else it goes to the next.

    Which bins go together depends on both sides' rows taken as one, and among equal ones on their order. That
    must know nothing of the sides: else those that chance gave to one side would go together.
    """
    import numpy as np

    expected = table.sum(axis=0) * float(table.sum(axis=1).min() / table.sum())
    order = np.argsort(expected, kind="stable")
    starts, held = [0], 0.0
    for place, rows in enumerate(expected[order].tolist()):
        others = len(starts) - 1 + len(order) - place
        stays = rows >= _FEWEST_EXPECTED and held >= _LEAST_EXPECTED and others >= _OTHERS
        if held >= _FEWEST_EXPECTED or stays:
            starts.append(place)
            held = 0.0
        held += rows
    if held < _FEWEST_EXPECTED and len(starts) > 1:
        starts.pop()
    pooled: NDArray[np.float64] = np.add.reduceat(table[:, order], starts, axis=1)
    return pooled


def two_shares_p(hits: int, rows: int, other_hits: int, other_rows: int) -> float:
    """Of the null that two shares are equal: Pearson's test, or where fewer than five rows are expected in a
    cell, Fisher's exact one (Cochran 1954)."""
    import numpy as np

    table = np.array(((hits, rows - hits), (other_hits, other_rows - other_hits)))
    both = table.sum(axis=0)
    if 0 < both.min() * min(rows, other_rows) < _FEWEST_EXPECTED * both.sum():
        from scipy.stats import fisher_exact

        return float(fisher_exact(table).pvalue)
    return chi_squared_p(Binned(*table))


def _largest_gap(profile: NumberProfile, counts: NumberCounts) -> float:
    """Smirnov's statistic, on both sides of every value that is kept."""
    import numpy as np

    gaps = [
        np.max(np.abs(ours / profile.rows - theirs / counts.rows))
        for ours, theirs in ((profile.upto, counts.upto), (profile.below, counts.below))
    ]
    return float(max(gaps))


def smirnov_p(gap: float, rows: int, other_rows: int) -> float:
    """As scipy's ``ks_2samp(method="asymp")`` has it: the exact law of one sample of the effective size."""
    from scipy.stats import kstwo

    effective = max(1, round(rows / (rows + other_rows) * other_rows))
    return float(min(1.0, max(0.0, kstwo.sf(gap, effective))))


def _wasserstein(profile: NumberProfile, counts: NumberCounts) -> float:
    """The area between the distribution functions, in standard deviations of the reference. Of a reference
    that is one value, any distance is as far as can be."""
    import numpy as np

    edges = profile.edges
    before = int(counts.below[0]) * edges[0] - counts.sums[0]
    after = counts.sums[-1] - (counts.rows - int(counts.upto[-1])) * edges[-1]
    between = np.sum(_area_between(_inside(profile, edges), _inside(counts, edges), edges))
    distance = max(0.0, float(between + (before + after) / counts.rows))
    if profile.deviation > 0:
        return distance / profile.deviation
    return 1.0 if distance > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Inside:
    """A distribution function between each two values that are kept: how high it is at the ``left`` and the
    ``right``, how many ``rows`` lie in between, and their ``mean``."""

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    rows: NDArray[np.int64]
    mean: NDArray[np.float64]


def _inside(side: NumberProfile | NumberCounts, edges: NDArray[np.float64]) -> _Inside:
    import numpy as np

    rows = side.below[1:] - side.upto[:-1]
    mean = np.divide(side.sums[1:-1], rows, out=edges[1:].copy(), where=rows > 0)
    # Sums of many rows are a bit off, and no mean lies outside.
    mean = np.clip(mean, edges[:-1], edges[1:])
    return _Inside(side.upto[:-1] / side.rows, side.below[1:] / side.rows, rows, mean)


def _area_between(one: _Inside, other: _Inside, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area between two functions, between each two edges.

    A function has the same area wherever its rows lie around their mean. So with all of them at their means
    the difference of the areas is right; and it is the area between, too, where the functions do not cross.
    Where they do, or where there is at most one row of each, the area between the two steps is taken: of
    single rows it is exact as well.
    """
    import numpy as np

    start, end = edges[:-1], edges[1:]
    first, second = np.minimum(one.mean, other.mean), np.maximum(one.mean, other.mean)
    left, right = one.left - other.left, one.right - other.right
    middle = np.where(one.mean <= other.mean, one.right - other.left, one.left - other.right)
    parts = np.stack((left * (first - start), middle * (second - first), right * (end - second)))
    steps = (left * right < 0) | ((one.rows <= 1) & (other.rows <= 1))
    area: NDArray[np.float64] = np.where(steps, np.abs(parts).sum(axis=0), np.abs(parts.sum(axis=0)))
    return area
