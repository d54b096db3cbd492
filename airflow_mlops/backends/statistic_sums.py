"""Metrics that are a smooth function of means over rows: nearly all of them.

The function alone says everything: at the means of all rows it is the value, at weighted means that of a
resample, and its gradient there makes the rows' influence (the delta method). The gradient is taken by a
complex step (Squire and Trapp 1998, SIAM Review 40:110), which is exact to the last digit, so that no
derivative has to be written out; the functions must therefore be made of arithmetic, ``ratio`` and ``where``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_mlops.backends.statistic import Part, Proportion, Resampler

_STEP = 1e-30


def ratio(part: Any, whole: Any) -> Any:
    """``part / whole``, 0 where the whole is 0, as scikit-learn has it."""
    import numpy as np

    empty = np.real(whole) == 0
    return np.where(empty, 0.0, part / np.where(empty, 1.0, whole))


# No slots in these two: ``cached_property`` keeps its value in the instance.
@dataclass(frozen=True)
class Means:
    """``of`` takes one mean per column, each a number or an array of resamples."""

    columns: Sequence[Any]
    of: Callable[..., Any]
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def _means(self) -> list[float]:
        return [float(column.mean()) for column in self.columns]

    @cached_property
    def value(self) -> float:
        return float(self.of(*self._means))

    def influence(self) -> Any:
        slopes = _gradient(lambda means: self.of(*means), self._means)
        parts = zip(slopes, self.columns, self._means, strict=True)
        return sum(slope * (column - mean) for slope, column, mean in parts) * _correction(
            len(self.columns[0])
        )

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        own = Part(part.size, part.rows if part.place is None else None) if self.per_unit else part
        columns = [own.of(column) for column in self.columns]
        sums = own.summed(np.stack([*columns, np.ones(len(columns[0]))], axis=1))

        def values(weights: Any) -> Any:
            *totals, rows = (weights @ sums).T
            return self.of(*(total / rows for total in totals))

        return values


@dataclass(frozen=True)
class Counts:
    """``of`` takes three arrays over the classes, on the last axis: the shares of rows that are rightly said
    to be of the class, that are of it, and that are said to be."""

    label: Any
    said: Any
    classes: int
    of: Callable[[Any, Any, Any], Any]
    proportion: Proportion | None = None
    per_unit: bool = False
    has_influence: bool = True

    @cached_property
    def _shares(self) -> Any:
        import numpy as np

        right = self.label[self.label == self.said]
        counted = [np.bincount(codes, minlength=self.classes) for codes in (right, self.label, self.said)]
        return np.concatenate(counted) / len(self.label)

    @cached_property
    def value(self) -> float:
        return float(self.of(*self._split(self._shares)))

    def influence(self) -> Any:
        import numpy as np

        slopes = np.array(_gradient(lambda shares: self.of(*self._split(np.array(shares))), self._shares))
        right, there, said = self._split(slopes)
        moved = (
            np.where(self.label == self.said, right[self.label], 0.0) + there[self.label] + said[self.said]
        )
        return (moved - slopes @ self._shares) * _correction(len(self.label))

    def resampler(self, part: Part) -> Resampler:
        import numpy as np

        label, said, unit = part.of(self.label), part.of(self.said), np.eye(self.classes)
        rows = (unit[label] * (label == said)[:, None], unit[label], unit[said], np.ones((len(label), 1)))
        sums = part.summed(np.concatenate(rows, axis=1))

        def values(weights: Any) -> Any:
            totals = weights @ sums
            return self.of(*self._split(totals[:, :-1] / totals[:, -1:]))

        return values

    def _split(self, shares: Any) -> tuple[Any, Any, Any]:
        many = self.classes
        return shares[..., :many], shares[..., many : 2 * many], shares[..., 2 * many :]


def _gradient(function: Callable[[list[Any]], Any], at: Any) -> list[float]:
    slopes = []
    for index in range(len(at)):
        moved: list[Any] = list(at)
        moved[index] = complex(at[index], _STEP)
        slopes.append(float(function(moved).imag) / _STEP)
    return slopes


def _correction(rows: int) -> float:
    return float((rows / max(rows - 1, 1)) ** 0.5)
