"""Summaries of columns and rows in one pass over the pieces of a table: what ``core.faults`` judges by.

Memory is bounded: of numbers a random sample is kept beside the exact counts, of categories the first
``MOST_CATEGORIES`` names, of rows the smallest hashes. Scans of two tables can be put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.fault_values import Read, is_broken, read_numbers, read_texts, spelled_alike
from airflow_mlops.core.faults.summary import (
    LEVELS,
    QUANTILES_OF,
    SENTINELS,
    Categories,
    Category,
    ColumnSummary,
    Numbers,
    RowHashes,
    TableSummary,
)
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MOST_CATEGORIES = 20_000
LISTED = 500
HASHES = 2_048
MOST_PATTERNS = 256
COUNTED_PATTERNS = 4_096
"""Columns that each have holes of their own make as many patterns as there are rows: the rare ones are let
go, or a large table would fill the memory."""
_SEED = 20_130_401


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


@dataclass(slots=True)
class TextScan:
    """Categories by their names, which stay in this process; of prose only lengths and broken letters."""

    is_prose: bool
    count: int = 0
    names: Counter[str] = field(default_factory=Counter)
    complete: bool = True
    lengths: Counter[int] = field(default_factory=Counter)
    broken: int = 0

    def add(self, texts: Mapping[str, int]) -> None:
        """More of the column's texts, with how often each comes."""
        for text, rows in texts.items():
            self.count += rows
            self.lengths[len(text)] += rows
            if is_broken(text):
                self.broken += rows
        if not self.is_prose:
            self._name(texts)

    def absorb(self, other: TextScan) -> None:
        """What another scan has seen."""
        self.count += other.count
        self.broken += other.broken
        self.lengths.update(other.lengths)
        self.complete = self.complete and other.complete
        self._name(other.names)

    def summary(self, salt: str) -> Categories | None:
        """Names as hashes; None where there was no text."""
        if not self.count:
            return None
        common = self.names.most_common(LISTED)
        return Categories(
            count=self.count,
            listed=tuple(
                Category(_hash(name, salt), _hash(spelled_alike(name), salt), rows) for name, rows in common
            ),
            complete=self.complete and len(common) == len(self.names),
            lengths=dict(sorted(self.lengths.items())),
            broken=self.broken,
        )

    def _name(self, texts: Mapping[str, int]) -> None:
        for text, rows in texts.items():
            if text in self.names or len(self.names) < MOST_CATEGORIES:
                self.names[text] += rows
            else:
                self.complete = False


@dataclass(slots=True)
class ColumnScan:
    """One column, whatever its kind."""

    name: str
    kind: ColumnKind
    rows: int = 0
    nulls: int = 0
    as_text: int = 0
    commas: int = 0
    numbers: NumberScan | None = None
    texts: TextScan | None = None

    def add(self, column: pd.Series) -> Read:
        """More of its values; what was read of them."""
        read = read_numbers(column) if self.kind == "numeric" else read_texts(column)
        self.rows += len(column)
        self.nulls += int(read.nulls.sum())
        self.as_text += read.as_text
        self.commas += read.commas
        if self.numbers is not None and read.numbers is not None:
            self.numbers.add(read.numbers)
        if self.texts is not None:
            self.texts.add(read.texts)
        return read

    def absorb(self, other: ColumnScan) -> None:
        """What another scan has seen."""
        for count in ("rows", "nulls", "as_text", "commas"):
            setattr(self, count, getattr(self, count) + getattr(other, count))
        if self.numbers is not None and other.numbers is not None:
            self.numbers.absorb(other.numbers)
        if self.texts is not None and other.texts is not None:
            self.texts.absorb(other.texts)

    def summary(self, salt: str) -> ColumnSummary:
        """What leaves this process."""
        return ColumnSummary(
            self.name,
            self.kind,
            self.rows,
            self.nulls,
            self.as_text,
            self.commas,
            None if self.numbers is None else self.numbers.summary(),
            None if self.texts is None else self.texts.summary(salt),
        )


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


@dataclass(slots=True)
class TableScan:
    """Columns and rows. ``time`` and ``key`` are names of columns that are there beside the features;
    ``salt`` makes the hashes of one model useless for another."""

    columns: dict[str, ColumnScan]
    time: str
    key: str
    salt: str
    rows: int = 0
    times: TimeScan = field(default_factory=TimeScan)
    together: Counter[tuple[str, ...]] = field(default_factory=Counter)
    of_features: HashScan = field(default_factory=HashScan)
    of_rows: HashScan = field(default_factory=HashScan)

    @classmethod
    def of(cls, kinds: Mapping[str, ColumnKind], *, time: str, key: str, salt: str) -> TableScan:
        """A scan that has seen nothing."""
        import numpy as np

        columns = {}
        for place, (name, kind) in enumerate(kinds.items()):
            numbers = NumberScan(np.random.default_rng(_SEED + place)) if kind == "numeric" else None
            texts = None if kind == "numeric" else TextScan(is_prose=kind == "text")
            columns[name] = ColumnScan(name, kind, numbers=numbers, texts=texts)
        return cls(columns, time, key, salt)

    def add(self, frame: pd.DataFrame) -> None:
        """More rows, in their order."""
        import numpy as np
        import pandas as pd

        if not len(frame):
            return
        read = {name: scan.add(frame[name]) for name, scan in self.columns.items() if name in frame}
        self.rows += len(frame)
        self._note_missing({name: one.nulls for name, one in read.items() if one.nulls.any()})
        hashes = np.zeros(len(frame), dtype=np.uint64)
        for one in read.values():
            hashes = _mixed(hashes, one.hashes)
        self.of_features.add(hashes)
        for name in (self.key, self.time):
            if name in frame:
                hashes = _mixed(hashes, pd.util.hash_pandas_object(frame[name], index=False).to_numpy())
        self.of_rows.add(hashes)
        if self.time in frame:
            self.times.add(seconds_of(frame[self.time]))

    def absorb(self, later: TableScan) -> None:
        """What a scan of later rows has seen."""
        for name, scan in self.columns.items():
            scan.absorb(later.columns[name])
        self.rows += later.rows
        self.times.absorb(later.times)
        self.together.update(later.together)
        self.of_features.absorb(later.of_features)
        self.of_rows.absorb(later.of_rows)

    def summary(self) -> TableSummary:
        """What leaves this process."""
        times = self.times
        return TableSummary(
            rows=self.rows,
            columns={name: scan.summary(self.salt) for name, scan in self.columns.items() if scan.rows},
            first=times.first,
            last=times.last,
            longest_gap=times.longest_gap,
            hours=tuple(times.hours) if sum(times.hours) else (),
            backwards=times.backwards,
            missing_together=tuple(self.together.most_common(MOST_PATTERNS)),
            repeated=round(self.rows * self.of_rows.repeated_share),
            hashes=self.of_features.summary(),
        )

    def _note_missing(self, nulls: Mapping[str, NDArray[np.bool_]]) -> None:
        import numpy as np

        if not nulls:
            return
        names = list(nulls)
        packed = np.packbits(np.column_stack([nulls[name] for name in names]), axis=1)
        patterns, counts = np.unique(packed, axis=0, return_counts=True)
        for bits, count in zip(np.unpackbits(patterns, axis=1, count=len(names)), counts, strict=True):
            missing = tuple(name for name, is_null in zip(names, bits, strict=True) if is_null)
            if missing:
                self.together[missing] += int(count)
        if len(self.together) > COUNTED_PATTERNS:
            self.together = Counter(dict(self.together.most_common(COUNTED_PATTERNS // 2)))


def _mixed(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Both in one, as splitmix64 mixes (Steele, Lea and Flood 2014): the order of the columns counts."""
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = one * np.uint64(0x9E3779B97F4A7C15) + other
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _decimals(sample: NDArray[np.float64]) -> int | None:
    """With how many places 99 of 100 values can be written; None for more than eight."""
    import numpy as np

    for places in range(9):
        near = np.abs(sample - np.round(sample, places)) <= 1e-12 * np.maximum(np.abs(sample), 1.0)
        if near.mean() >= 0.99:
            return places
    return None


def seconds_of(column: pd.Series) -> NDArray[np.float64]:
    """Times as seconds since 1970, what is no time as NaN."""
    import numpy as np
    import pandas as pd

    times = pd.to_datetime(column, utc=True, errors="coerce")
    seconds = times.astype("datetime64[us, UTC]").astype("int64").to_numpy() / 1e6
    found: NDArray[np.float64] = np.where(times.isna().to_numpy(), np.nan, seconds)
    return found


def _hash(text: str, salt: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).hexdigest()
