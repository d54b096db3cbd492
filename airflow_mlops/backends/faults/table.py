"""A whole table in one pass over its pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mlops.backends.faults.columns import ColumnScan
from airflow_mlops.backends.faults.numbers import NumberScan
from airflow_mlops.backends.faults.rows import HashScan, TimeScan, mixed, seconds_of
from airflow_mlops.backends.faults.texts import TextScan
from airflow_mlops.core.faults.summary import TableSummary
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MOST_PATTERNS = 256
COUNTED_PATTERNS = 4_096
"""Columns that each have holes of their own make as many patterns as there are rows: the rare ones are let
go, or a large table would fill the memory."""
_SEED = 20_130_401


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
            hashes = mixed(hashes, one.hashes)
        self.of_features.add(hashes)
        for name in (self.key, self.time):
            if name in frame:
                hashes = mixed(hashes, pd.util.hash_pandas_object(frame[name], index=False).to_numpy())
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
