"""Summaries of kept rows for ``core.faults``: a window, and a reference cut into stretches as long as it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.faults.rows import seconds_of
from airflow_mlops.backends.faults.table import TableScan
from airflow_mlops.core.faults.summary import Reference, TableSummary
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

MOST_BLOCKS = 26
PIECE = 100_000
FORM = 1
"""Raised where a summary is made otherwise: those that are kept count no more."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A summary, and the hash of all that it was made of."""

    made_of: str
    reference: Reference


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
        keep: bool = True,
    ) -> Reference:
        """Of a snapshot, with the newest stretches of this length counted from its newest row; without any
        where it has no times.

        Kept beside the snapshot, which never changes: the last one without stretches, and the last one with.
        Two runs that want different ones at once write one file over the other, each whole, and read none
        that was not made of what they ask for. Raises ``DataRefused`` where the snapshot is gone.
        """
        made_of = content_hash([uri, dict(kinds), time, key, salt, length_seconds, FORM])
        place = self._beside(uri, "faults-stretches" if length_seconds > 0 else "faults-whole")
        kept = self._kept(place)
        if kept is not None and kept.made_of == made_of:
            return kept.reference
        made = self._reference(uri, kinds, time, key, salt, length_seconds)
        if keep:
            self._store.put(place, TypeAdapter(_Kept).dump_json(_Kept(made_of, made)))
        return made

    def _beside(self, uri: str, name: str) -> str:
        """The key of a file that is found, and deleted, with the snapshot's own."""
        root = self._store.uri("_").removesuffix("_")
        return f"{unquote(uri.removeprefix(root)).removesuffix('.parquet')}.{name}.json"

    def _kept(self, place: str) -> _Kept | None:
        try:
            return TypeAdapter(_Kept).validate_json(self._store.get(place))
        except (KeyError, ValidationError):
            return None

    def _reference(
        self, uri: str, kinds: Mapping[str, ColumnKind], time: str, key: str, salt: str, length: float
    ) -> Reference:
        ends = [seconds_of(frame[time]) for frame in self._frames(uri, [time]) if time in frame]
        last = max((float(one.max()) for one in ends if len(one)), default=0.0)
        first = min((float(one.min()) for one in ends if len(one)), default=0.0)
        whole_ones = min(MOST_BLOCKS, math.floor((last - first) / length)) if length > 0 else 0
        scans = [TableScan.of(kinds, time=time, key=key, salt=salt) for _ in range(whole_ones + 1)]
        for frame in self._frames(uri, [*kinds, time, key]):
            if not whole_ones:
                scans[0].add(frame)
                continue
            # The newest row is in stretch 0; all that is older than the stretches is in the last scan.
            age = (last - seconds_of(frame[time])) // length
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
            raise DataRefused(f"{uri} cannot be read as Parquet: {raised(error)}") from None
