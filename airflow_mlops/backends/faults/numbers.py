"""One column of numbers in one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.faults.summary import LEVELS, QUANTILES_OF, SENTINELS, Numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class NumberScan:
    """Exact counts and ends, and a sample drawn by the smallest of random numbers, so that two samples put
    together are a sample of both."""

    random: Any
    count: int = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    at_minimum: int = 0
    at_maximum: int = 0
    whole: int = 0
    sentinels: Counter[str] = field(default_factory=Counter)
    drawn: Any = None  # two rows: the random numbers, the values

    def add(self, values: NDArray[np.float64]) -> None:
        """More of the column's numbers, all finite."""
        import numpy as np

        if not len(values):
            return
        self._reach(float(values.min()), float(values.max()), values)
        self.count += len(values)
        self.whole += int((values == np.floor(values)).sum())
        among = values[np.isin(values, SENTINELS)]
        names, counts = np.unique(among, return_counts=True)
        self.sentinels.update({f"{name:g}": int(count) for name, count in zip(names, counts, strict=True)})
        self._draw(np.vstack([self.random.random(len(values)), values]))

    def absorb(self, other: NumberScan) -> None:
        """What another scan has seen."""
        if not other.count:
            return
        for end, at in (("minimum", "at_minimum"), ("maximum", "at_maximum")):
            ours, theirs = getattr(self, end), getattr(other, end)
            further = theirs < ours if end == "minimum" else theirs > ours
            if further:
                setattr(self, end, theirs)
                setattr(self, at, getattr(other, at))
            elif theirs == ours:
                setattr(self, at, getattr(self, at) + getattr(other, at))
        self.count += other.count
        self.whole += other.whole
        self.sentinels.update(other.sentinels)
        self._draw(other.drawn)

    def summary(self) -> Numbers | None:
        """None where there was no number."""
        import numpy as np

        if not self.count:
            return None
        sample = self.drawn[1]
        _, counts = np.unique(sample, return_counts=True)
        return Numbers(
            count=self.count,
            minimum=self.minimum,
            maximum=self.maximum,
            quantiles=tuple(float(one) for one in np.quantile(sample, LEVELS)),
            at_minimum=self.at_minimum,
            at_maximum=self.at_maximum,
            whole=self.whole,
            distinct=len(counts),
            most_common=float(counts.max() / len(sample)),
            decimals=_decimals(sample),
            sentinels=dict(self.sentinels),
        )

    def _reach(self, low: float, high: float, values: NDArray[np.float64]) -> None:
        if low <= self.minimum:
            already = self.at_minimum if low == self.minimum else 0
            self.minimum, self.at_minimum = low, already + int((values == low).sum())
        if high >= self.maximum:
            already = self.at_maximum if high == self.maximum else 0
            self.maximum, self.at_maximum = high, already + int((values == high).sum())

    def _draw(self, more: Any) -> None:
        import numpy as np

        drawn = more if self.drawn is None else np.hstack([self.drawn, more])
        if drawn.shape[1] > QUANTILES_OF:
            drawn = drawn[:, np.argpartition(drawn[0], QUANTILES_OF)[:QUANTILES_OF]]
        self.drawn = drawn


def _decimals(sample: NDArray[np.float64]) -> int | None:
    """With how many places 99 of 100 values can be written; None for more than eight."""
    import numpy as np

    for places in range(9):
        near = np.abs(sample - np.round(sample, places)) <= 1e-12 * np.maximum(np.abs(sample), 1.0)
        if near.mean() >= 0.99:
            return places
    return None
