"""Summaries of kept rows for ``core.faults``: a window, and a reference cut into stretches as long as it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.faults.rows import seconds_of
from airflow_mlops.backends.faults.table import TableScan
from airflow_mlops.core.faults.summary import Reference, TableSummary
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

MOST_BLOCKS = 26
PIECE = 100_000
FORM = 1
"""Raised where a summary is made otherwise: those that are kept count no more."""


class ParquetFaultSummaries:
    """Reads Parquet objects of the store piece by piece: memory holds no table whole."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def window(
        self,
        uri: str,
        kinds: Mapping[str, ColumnKind],
        *,
        time: str,
        key: str,
        salt: str,
        after: float | None = None,
    ) -> TableSummary:
        """Of the rows kept at a URI, or of those later than ``after``, in seconds since 1970. A column that
        is not there is not in the summary. Raises ``DataRefused`` where the rows are gone."""
        scan = TableScan.of(kinds, time=time, key=key, salt=salt)
        for frame in self._frames(uri, [*kinds, time, key]):
            scan.add(frame if after is None else frame[seconds_of(frame[time]) > after])
        return scan.summary()

    def reference(
        self,
        uri: str,
        kinds: Mapping[str, ColumnKind],
        *,
        time: str,
        key: str,
        salt: str,
        length_seconds: float,
    ) -> Reference:
        """Of a snapshot, with the newest stretches of this length counted from its newest row. Kept in the
        store: a snapshot never changes. Raises ``DataRefused`` where it is gone."""
        asked = content_hash([uri, dict(kinds), time, key, salt, length_seconds, FORM])
        kept = f"faults/{asked}.json"
        adapter = TypeAdapter(Reference)
        try:
            return adapter.validate_json(self._store.get(kept))
        except (KeyError, ValueError):
            made = self._reference(uri, kinds, time, key, salt, length_seconds)
        self._store.put(kept, adapter.dump_json(made))
        return made

    def _reference(
        self, uri: str, kinds: Mapping[str, ColumnKind], time: str, key: str, salt: str, length: float
    ) -> Reference:
        ends = [seconds_of(frame[time]) for frame in self._frames(uri, [time])]
        last = max((float(one.max()) for one in ends if len(one)), default=0.0)
        first = min((float(one.min()) for one in ends if len(one)), default=0.0)
        whole_ones = min(MOST_BLOCKS, math.floor((last - first) / length)) if length > 0 else 0
        scans = [TableScan.of(kinds, time=time, key=key, salt=salt) for _ in range(whole_ones + 1)]
        for frame in self._frames(uri, [*kinds, time, key]):
            # The newest row is in stretch 0; all that is older than the stretches is in the last scan.
            age = (last - seconds_of(frame[time])) // (length or 1.0)
            age = age.clip(max=whole_ones).astype(int)
            for place in set(age.tolist()):
                scans[place].add(frame[age == place])
        blocks = tuple(scan.summary() for scan in scans[:-1])
        whole = scans[-1]
        for later in reversed(scans[:-1]):
            whole.absorb(later)
        return Reference(whole.summary(), blocks if whole_ones > 1 else ())

    def _frames(self, uri: str, columns: list[str]) -> Iterator[pd.DataFrame]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._store.local_path(uri)) as file:
                wanted = [name for name in dict.fromkeys(columns) if name in set(file.schema_arrow.names)]
                for batch in file.iter_batches(batch_size=PIECE, columns=wanted):
                    yield batch.to_pandas()
        except KeyError as error:
            raise DataRefused(f"{uri} is gone from the store: nothing can be compared with it") from error
        except (pa.ArrowInvalid, OSError) as error:
            raise DataRefused(f"{uri} cannot be read as Parquet: {error}") from error
