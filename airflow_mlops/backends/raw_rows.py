"""From a raw segment to the columns of the inference log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.raw_segment import RawRequest, SegmentHead, parsed, read_segment
from airflow_mlops.core.request_rows import moment, row_keys, rows_of
from airflow_mlops.core.values import ColumnKind

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK_ROWS = 4_096
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(slots=True)
class SegmentTables:
    """Reads a segment as Arrow tables of some thousand rows each, so that memory stays small however large
    it is. ``schema`` is there before the first; ``unreadable`` counts the rows of requests that cannot be
    read, which only a fault of ours can make: each is left out alone.
    """

    content: bytes
    unreadable: int = 0
    head: SegmentHead = field(init=False)
    _requests: Iterator[tuple[RawRequest, bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self.head, self._requests = read_segment(self.content)

    @property
    def schema(self) -> pa.Schema:
        return log_schema(self.head.columns)

    def __iter__(self) -> Iterator[pa.Table]:
        chunk = _Chunk(self.head)
        for request, body in self._requests:
            try:
                chunk.add(request, body)
            except (ValueError, KeyError, TypeError, IndexError):
                self.unreadable += sum(len(call.numbers or range(request.rows)) for call in request.calls)
            if chunk.rows >= _CHUNK_ROWS:
                yield chunk.table()
                chunk = _Chunk(self.head)
        if chunk.rows:
            yield chunk.table()


def log_schema(columns: Mapping[str, ColumnKind]) -> pa.Schema:
    """The log's own columns, then each feature under its own name."""
    import pyarrow as pa

    time, text, number = pa.timestamp("us", tz="UTC"), pa.string(), pa.float64()
    own = {
        "request_id": text,
        "key": text,
        "event_time": time,
        "received_at": time,
        "version": text,
        "role": text,
        "mode": text,
        "weight": number,
        "rollout_id": text,
        "prediction": number,
        "error": text,
        "latency_seconds": number,
    }
    features = {name: number if kind == "numeric" else text for name, kind in columns.items()}
    return pa.schema(list({**own, **features}.items()))


class _Chunk:
    """Rows gathered column by column."""

    def __init__(self, head: SegmentHead) -> None:
        self._head = head
        self._columns: dict[str, list[Any]] = {name: [] for name in log_schema(head.columns).names}

    @property
    def rows(self) -> int:
        return len(self._columns["key"])

    def add(self, request: RawRequest, body: bytes) -> None:
        """Nothing of a request that raises is kept."""
        head = self._head
        rows = rows_of(parsed(body, request.shape), request.shape, head.columns)
        keys = row_keys([_value(row, head.key_column) for row in rows], request.key_base)
        received_at = _EPOCH + timedelta(microseconds=request.received_at)
        times = [_moment(_value(row, head.time_column), received_at) for row in rows]
        features = {
            name: [_feature(row.get(name), kind) for row in rows] for name, kind in head.columns.items()
        }
        for call in request.calls:
            chosen = range(len(rows)) if call.numbers is None else call.numbers
            count = len(chosen)
            added: dict[str, Sequence[Any]] = {
                "request_id": [request.request_id] * count,
                "key": [keys[number] for number in chosen],
                "event_time": [times[number] for number in chosen],
                "received_at": [received_at] * count,
                "version": [call.version] * count,
                "role": [call.role] * count,
                "mode": [call.mode] * count,
                "weight": [call.weight] * count,
                "rollout_id": [call.rollout_id] * count,
                "prediction": [None] * count if call.scores is None else call.scores,
                "error": [call.error] * count,
                "latency_seconds": [call.latency_seconds] * count,
            }
            added |= {name: [values[number] for number in chosen] for name, values in features.items()}
            for name, values in added.items():
                self._columns[name] += values

    def table(self) -> pa.Table:
        import pyarrow as pa

        schema = log_schema(self._head.columns)
        return pa.table({name: self._columns[name] for name in schema.names}, schema=schema)


def _value(row: Mapping[str, Any], column: str | None) -> Any:
    return None if column is None else row.get(column)


def _moment(text: str | None, otherwise: datetime) -> datetime:
    return otherwise if text is None else moment(text)


def _feature(value: Any, kind: ColumnKind) -> float | str | None:
    """As the model saw it: a missing text is an empty one."""
    if value is None:
        return "" if kind == "text" else None
    return float(value) if kind == "numeric" else str(value)
