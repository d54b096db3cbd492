"""What a metric is to its interval: a value, how much each row moves it, and what it is on resampled rows.

A metric that is smooth in the empirical distribution is, to first order, its true value plus the mean of
one number per row, the row's influence (Hampel 1974, "The influence curve and its role in robust
estimation"). So its standard error is ``sqrt(sum(influence**2)) / n``, and the difference of two models on
the same rows has the influence ``one - other``, row by row, which keeps the pairing. Where rows come in
groups, their influences are first summed by group (Liang and Zeger 1986, Biometrika 73:13). What has no
influence is resampled.

Arrays are float64; ``weights`` has one line per resample and one column per unit, a row or a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Resampler = Callable[[Any], Any]
"""``(resamples, units)`` weights to ``(resamples,)`` values; no number where a resample has none."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the units, or all: their ``rows`` (None: every row) and, where units are groups, at which place
    among these units each row's group is."""

    size: int
    rows: Any = None
    place: Any = None

    def of(self, per_row: Any) -> Any:
        """What belongs to the part's rows."""
        return per_row if self.rows is None else per_row[self.rows]

    def summed(self, per_row: Any) -> Any:
        """A line per unit, from a line per row of the part."""
        import numpy as np

        if self.place is None:
            return per_row
        return np.stack([np.bincount(self.place, one, self.size) for one in per_row.T], axis=1)

    def spread(self, weights: Any, order: Any) -> Any:
        """The weights of the part's rows in an order, from those of its units."""
        return weights[:, order if self.place is None else self.place[order]]


# No slots: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Units:
    """What is independent of one another: ``rows``, or the groups that ``group`` numbers from 0, row by
    row."""

    rows: int
    group: Any = None

    @cached_property
    def count(self) -> int:
        return self.rows if self.group is None else int(self.group.max()) + 1

    @cached_property
    def _sorted(self) -> tuple[Any, Any]:
        import numpy as np

        order = np.argsort(self.group, kind="stable")
        return order, np.searchsorted(self.group[order], np.arange(self.count + 1))

    def all(self) -> Part:
        return Part(self.count, place=self.group)

    def part(self, units: Any) -> Part:
        """The rows of some units."""
        import numpy as np

        if self.group is None:
            return Part(len(units), rows=units)
        order, bounds = self._sorted
        starts, sizes = bounds[units], bounds[units + 1] - bounds[units]
        inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = order[np.repeat(starts, sizes) + inside]
        return Part(len(units), rows, np.repeat(np.arange(len(units)), sizes))


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of hits ``among`` some rows (None: all). ``by_label`` where these are the same whatever the
    model says, so that two models are paired."""

    hit: Any
    among: Any = None
    by_label: bool = True

    @property
    def counts(self) -> tuple[int, int]:
        """Hits, and rows that count."""
        if self.among is None:
            return int(self.hit.sum()), len(self.hit)
        return int((self.hit & self.among).sum()), int(self.among.sum())


class Statistic(Protocol):
    """One metric on all rows."""

    @property
    def value(self) -> float: ...

    @property
    def proportion(self) -> Proportion | None: ...

    @property
    def per_unit(self) -> bool:
        """Whether its influence is by unit already, not by row."""

    @property
    def has_influence(self) -> bool: ...

    def influence(self) -> Any:
        """Per row; None where there is none. Deviations are scaled to the ``n - 1`` of the textbook
        variance."""

    def resampler(self, part: Part) -> Resampler | None:
        """What it is on weighted units of a part, or None where weights are of no use to it."""
