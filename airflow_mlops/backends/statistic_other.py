"""Metrics that are no function of means: a median, a maximum, and whatever a user's function computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_mlops.backends.statistic import Part, Proportion, Resampler

_HALL_SHEATHER = 1.96 ** (2 / 3) * (1.5 / (2 * math.pi)) ** (1 / 3)
"""Their bandwidth for the median, times the cube root of the rows."""


# No slots: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Median:
    """The median of one number a row.

    Its influence is ``sign(x - median) / (2 * density)``; the density at the median is that of the rows
    between two quantiles, as far apart as Hall and Sheather (1988, JRSS-B 50:381) say for an interval at 95
    %.
    """

    column: Any
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def value(self) -> float:
        import numpy as np

        return float(np.median(self.column))

    def influence(self) -> Any:
        import numpy as np

        half = min(_HALL_SHEATHER * len(self.column) ** (-1 / 3), 0.49)
        low, high = np.quantile(self.column, [0.5 - half, 0.5 + half])
        return np.sign(self.column - self.value) * ((high - low) / (4 * half))

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        column = part.of(self.column)
        order = np.argsort(column)
        ordered, rows = column[order], len(column)

        def values(weights: Any) -> Any:
            found = between(weights, *_middle(rows, weights))
            return between(weights, 0, rows) if np.isnan(found).any() else found

        def between(weights: Any, first: int, last: int) -> Any:
            """Of the rows in these places by size; no number where the median may be elsewhere."""
            before = np.zeros(rows)
            before[order[:first]] = 1.0
            below, total = (weights @ part.summed(np.stack([before, np.ones(rows)], axis=1))).T
            reached = below[:, None] + np.cumsum(part.spread(weights, order[first:last]), axis=1)
            half = total[:, None] / 2
            low, high = first + (reached < half).sum(axis=1), first + (reached <= half).sum(axis=1)
            value = (ordered[np.minimum(low, rows - 1)] + ordered[np.minimum(high, rows - 1)]) / 2
            outside = ((first > 0) & (below >= total / 2)) | ((last < rows) & (high >= last))
            return np.where(outside, np.nan, value)

        return values


def _middle(rows: int, weights: Any) -> tuple[int, int]:
    """Where nearly every resample's median is found, by place among the ordered rows. That place varies by
    half of ``rows / sqrt(total weight)``: eight times that, to both sides."""
    total = float(weights.sum()) / len(weights)
    reach = int(4 * rows / max(total, 1.0) ** 0.5) + 2
    return max(rows // 2 - reach, 0), min(rows // 2 + reach, rows)


@dataclass(frozen=True, slots=True)
class Maximum:
    """The largest of one number a row: what was seen bounds the truth from below, and nothing does from
    above. A bootstrap of it is wrong (Bickel and Freedman 1981, Annals of Statistics 9:1210)."""

    column: Any
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = False

    @property
    def value(self) -> float:
        return float(self.column.max())

    def influence(self) -> None:
        return None

    def resampler(self, part: Part) -> None:  # noqa: ARG002 (the Protocol's)
        return None


@dataclass(frozen=True)
class Computed:
    """What ``compute`` says of some rows (their positions; repeated where a row was drawn more than once)."""

    rows: int
    compute: Callable[[Any], float]
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = False

    @cached_property
    def value(self) -> float:
        import numpy as np

        return self.compute(np.arange(self.rows))

    def influence(self) -> None:
        return None

    def on(self, part: Part) -> float:
        """Its value on a part as it is."""
        return self.value if part.rows is None else self.compute(part.rows)

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        rows = np.arange(self.rows) if part.rows is None else part.rows

        def values(weights: Any) -> Any:
            times = weights if part.place is None else weights[:, part.place]
            return np.array([self.compute(np.repeat(rows, drawn)) for drawn in times.astype(np.int64)])

        return values
