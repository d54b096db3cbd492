"""Rows in one pass: which were there before, and when they happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mlops.core.faults.summary import RowHashes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

HASHES = 2_048


@dataclass(slots=True)
class HashScan:
    """The smallest hashes that were seen, with how often each came."""

    counts: Counter[int] = field(default_factory=Counter)
    below: int = 2**64 - 1

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """More rows."""
        import numpy as np

        names, counts = np.unique(hashes, return_counts=True)
        within = names <= np.uint64(self.below)
        names, counts = names[within][: HASHES + 1], counts[within][: HASHES + 1]
        self._keep({int(name): int(count) for name, count in zip(names, counts, strict=True)}, self.below)

    def absorb(self, other: HashScan) -> None:
        """What another scan has seen."""
        self._keep(other.counts, other.below)

    def summary(self) -> RowHashes:
        """What leaves this process."""
        return RowHashes(self.below, dict(self.counts))

    @property
    def repeated_share(self) -> float:
        """The share of rows that were there before."""
        rows = sum(self.counts.values())
        return 1 - len(self.counts) / rows if rows else 0.0

    def _keep(self, more: Mapping[int, int], below: int) -> None:
        self.counts.update(more)
        kept = sorted(self.counts)[:HASHES]
        self.below = min(self.below, below)
        if len(self.counts) > HASHES:
            self.below = min(self.below, kept[-1])
        self.counts = Counter({name: self.counts[name] for name in kept if name <= self.below})


@dataclass(slots=True)
class TimeScan:
    """When rows happened, in seconds since 1970."""

    first: float | None = None
    last: float | None = None
    before: float | None = None
    longest_gap: float = 0.0
    backwards: int = 0
    hours: list[int] = field(default_factory=lambda: [0] * 24)

    def add(self, seconds: NDArray[np.float64]) -> None:
        """More rows, in their order; what is no time is NaN."""
        import numpy as np

        seconds = seconds[np.isfinite(seconds)]
        if not len(seconds):
            return
        joined = seconds if self.before is None else np.concatenate([[self.before], seconds])
        self.before = float(seconds[-1])
        self.backwards += int((np.diff(joined) < 0).sum())
        ordered = np.sort(joined)
        self.longest_gap = max(self.longest_gap, float(np.diff(ordered).max(initial=0.0)))
        self._reach(float(ordered[0]), float(ordered[-1]))
        found = np.bincount((seconds // 3_600 % 24).astype(int), minlength=24)
        self.hours = [ours + int(more) for ours, more in zip(self.hours, found, strict=True)]

    def absorb(self, later: TimeScan) -> None:
        """What a scan of later rows has seen."""
        if later.first is None or later.last is None:
            return
        if self.last is not None:
            self.longest_gap = max(self.longest_gap, later.first - self.last)
        self.longest_gap = max(self.longest_gap, later.longest_gap)
        self.backwards += later.backwards
        self._reach(later.first, later.last)
        self.hours = [ours + theirs for ours, theirs in zip(self.hours, later.hours, strict=True)]

    def _reach(self, low: float, high: float) -> None:
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)


def mixed(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Both in one, as splitmix64 mixes (Steele, Lea and Flood 2014): the order of the columns counts."""
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = one * np.uint64(0x9E3779B97F4A7C15) + other
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def seconds_of(column: pd.Series) -> NDArray[np.float64]:
    """Times as seconds since 1970, what is no time as NaN."""
    import numpy as np
    import pandas as pd

    times = pd.to_datetime(column, utc=True, errors="coerce")
    seconds = times.astype("datetime64[us, UTC]").astype("int64").to_numpy() / 1e6
    found: NDArray[np.float64] = np.where(times.isna().to_numpy(), np.nan, seconds)
    return found
