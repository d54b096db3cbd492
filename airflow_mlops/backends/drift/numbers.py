"""A column of numbers: what is kept of the reference, and what one pass over other rows counts.

The reference is kept as the values that part it into many equal parts, with how many of its rows are below
and up to each of them. A batch of other rows is sorted and counted at the same values. Both distribution
functions are then known exactly there, on both sides of every jump: shares in any of these parts are exact,
and the largest gap between the functions is missed by less than what lies between two values. Where the
reference has no more different values than are kept, nothing at all is missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]

EDGES = 2_000
"""Of all rows; a multiple of ten, so that deciles are among the values. Slices keep fewer."""
SLICE_EDGES = 200


@dataclass(frozen=True, slots=True, eq=False)
class NumberProfile:
    """``rows`` have a finite value, ``missing`` have none. ``below`` and ``upto`` count the rows with a value
    less than, and not more than, each edge; ``sums`` has the sum of the values before the first edge, between
    each two, and after the last."""

    rows: int
    missing: int
    mean: float
    deviation: float
    edges: Numbers
    below: Counts
    upto: Counts
    sums: Numbers

    @property
    def missing_share(self) -> float:
        total = self.rows + self.missing
        return self.missing / total if total else 0.0


def profile_numbers(values: Numbers, most: int = EDGES) -> NumberProfile:
    """What is kept of these values: at most ``most`` edges and the smallest value."""
    import numpy as np

    ordered = finite_sorted(values)
    rows = len(ordered)
    if not rows:
        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        return NumberProfile(0, len(values), 0.0, 0.0, nothing, none, none, np.zeros(1))
    starts = np.empty(rows, dtype=bool)
    starts[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    edges = ordered[starts] if int(starts.sum()) <= most else _parting(ordered, most)
    edges = _with_gaps_parted(edges, most)
    counts = NumberCounts(edges, with_sums=True)
    counts.add_sorted(ordered)
    mean = float(ordered.mean())
    deviation = float(np.sqrt(np.mean(np.square(ordered - mean))))
    return NumberProfile(
        rows, len(values) - rows, mean, deviation, edges, counts.below, counts.upto, counts.sums
    )


def _parting(ordered: Numbers, parts: int) -> Numbers:
    """The smallest value, and those that ``1/parts``, ``2/parts``... of the rows do not exceed: quantiles by
    the inverse of the distribution function, which are values of the column and need no interpolation."""
    import numpy as np

    ranks = -(-np.arange(1, parts + 1) * len(ordered) // parts)
    return np.unique(np.concatenate((ordered[:1], ordered[ranks - 1])))


def _with_gaps_parted(edges: Numbers, most: int) -> Numbers:
    """More edges, where the values are far apart: distances between distributions come from there. There are
    as many as leave the whole at about a tenth more than ``most``."""
    import numpy as np

    gaps = np.diff(edges)
    length = float(gaps.sum())
    more = min(len(edges), most + most // 10 - len(edges))
    if not 0 < length < np.inf or more <= 0:
        return edges
    into = np.floor(gaps / length * more).astype(np.int64)
    fresh = [
        np.linspace(edges[gap], edges[gap + 1], into[gap] + 2)[1:-1] for gap in np.flatnonzero(into).tolist()
    ]
    return np.unique(np.concatenate((edges, *fresh)))


class NumberCounts:
    """Counts rows at given edges, batch after batch. Sums are kept only where a distance needs them."""

    def __init__(self, edges: Numbers, *, with_sums: bool) -> None:
        import numpy as np

        self.edges = edges
        self.rows = self.missing = 0
        self.below = np.zeros(len(edges), dtype=np.int64)
        self.upto = np.zeros(len(edges), dtype=np.int64)
        self.sums = np.zeros(len(edges) + 1)
        self._with_sums = with_sums

    def add(self, values: Numbers) -> None:
        """Count more values, in any order."""
        ordered = finite_sorted(values)
        self.missing += len(values) - len(ordered)
        self.add_sorted(ordered)

    def add_sorted(self, ordered: Numbers) -> None:
        """Count finite values that are in order."""
        import numpy as np

        if not len(ordered):
            return
        self.rows += len(ordered)
        below = np.searchsorted(ordered, self.edges, side="left")
        upto = np.searchsorted(ordered, self.edges, side="right")
        self.below += below
        self.upto += upto
        if not self._with_sums:
            return
        so_far = np.concatenate(([0.0], np.cumsum(ordered)))
        self.sums += so_far[np.append(below, len(ordered))] - so_far[np.insert(upto, 0, 0)]

    @property
    def missing_share(self) -> float:
        total = self.rows + self.missing
        return self.missing / total if total else 0.0


def finite_sorted(values: Numbers) -> Numbers:
    """The finite values in order. Sorting puts infinities and what is missing at the ends, where two searches
    find them: cheaper than to look at each value."""
    import numpy as np

    ordered = np.sort(values)
    first = int(np.searchsorted(ordered, -np.inf, side="right"))
    last = int(np.searchsorted(ordered, np.inf, side="left"))
    return ordered[first:last]
