"""The inference log: one row per prediction, kept in memory for a second, then in small Parquet files."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.core.values import Role, RolloutMode
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.gateway.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class LoggedCall:
    """What one version answered to (its part of) one request. ``scores`` is None where it raised."""

    request_id: str
    received_at: datetime
    version: str
    role: Role
    mode: RolloutMode
    weight: float
    rollout_id: str | None
    rows: Rows
    scores: Sequence[float] | None
    error: str | None
    latency_seconds: float | None


class LogCounters(Protocol):
    """Told how many rows were written, and how many given up."""

    def written(self, rows: int) -> None: ...

    def dropped(self, rows: int) -> None: ...


class InferenceLogWriter:
    """Takes calls without blocking and writes them in a thread of its own.

    While the disk refuses, what is in memory is kept and tried again each second; beyond ``buffer_rows``
    new rows are dropped and counted. ``problem`` says why nothing is written, or is None. A call that no
    file can hold is dropped and counted alone: it must not take those beside it along.
    """

    def __init__(
        self,
        folder: Path,
        counters: LogCounters,
        *,
        flush_seconds: float = 1.0,
        flush_rows: int = 5_000,
        buffer_rows: int = 100_000,
    ) -> None:
        self.problem: str | None = None
        self._folder = folder
        self._counters = counters
        self._flush_seconds = flush_seconds
        self._flush_rows = flush_rows
        self._buffer_rows = buffer_rows
        self._calls: list[LoggedCall] = []
        self._rows = 0
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)

    def start(self) -> None:
        with contextlib.suppress(OSError):
            for leftover in self._folder.glob("date=*/.*.tmp"):
                leftover.unlink(missing_ok=True)
        self._thread.start()

    def add(self, call: LoggedCall) -> None:
        """Keep a call for the next write; drop and count it when memory is full."""
        rows = len(call.rows)
        with self._changed:
            if self._rows + rows > self._buffer_rows:
                self._counters.dropped(rows)
                return
            self._calls.append(call)
            self._rows += rows
            if self._rows >= self._flush_rows:
                self._changed.notify()

    def flush(self) -> int:
        """Write everything kept so far; the number of rows that are now on disk.
        Raises ``StoreUnavailable``, and keeps the rows, when the disk will not take them."""
        with self._writing:
            with self._changed:
                calls, self._calls = self._calls, []
                rows, self._rows = self._rows, 0
            waiting = deque(_groups(calls))
            try:
                while waiting:
                    rows -= self._write_or_split(waiting)
            except Exception as error:
                self._put_back([call for group in waiting for call in group])
                self.problem = f"The inference log cannot be written below {self._folder}: {error}"
                raise StoreUnavailable(
                    f"{self.problem}. {self._rows} rows wait in memory; free or remount the disk."
                ) from error
            self.problem = None
            return rows

    def stop(self) -> None:
        """End the thread and write what is left; what cannot be written is dropped and counted."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        try:
            self.flush()
        except StoreUnavailable:
            self._counters.dropped(self._rows)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._rows >= self._flush_rows, timeout=self._flush_seconds
                )
                if self._stopping:
                    return
                idle = not self._calls
            if idle:
                continue
            try:
                self.flush()
            except StoreUnavailable:
                with self._changed:
                    # The buffer stays above flush_rows, which would turn the wait into a busy loop.
                    self._changed.wait_for(lambda: self._stopping, timeout=self._flush_seconds)

    def _write_or_split(self, waiting: deque[list[LoggedCall]]) -> int:
        """Take one step with the first group; the number of rows that had to be dropped."""
        group = waiting[0]
        try:
            self._write(group)
        except (ValueError, TypeError):
            # Values that Parquet does not take; whose they are is found by halves.
            waiting.popleft()
            if len(group) == 1:
                self._counters.dropped(len(group[0].rows))
                return len(group[0].rows)
            half = len(group) // 2
            waiting.extendleft((group[half:], group[:half]))
        else:
            waiting.popleft()
        return 0

    def _write(self, calls: Sequence[LoggedCall]) -> None:
        import pyarrow.parquet as pq

        table = as_table(calls)
        received = calls[0].received_at
        folder = self._folder / f"date={received:%Y-%m-%d}"
        name = f"{received:%H%M%S%f}-{uuid.uuid4().hex[:12]}.parquet"
        temporary = folder / f".{name}.tmp"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                pq.write_table(table, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(folder / name)
        except Exception:
            temporary.unlink(missing_ok=True)
            raise
        self._counters.written(table.num_rows)

    def _put_back(self, left: Sequence[LoggedCall]) -> None:
        with self._changed:
            self._calls = [*left, *self._calls]
            self._rows = sum(len(call.rows) for call in self._calls)


def _groups(calls: Sequence[LoggedCall]) -> list[list[LoggedCall]]:
    """Calls that can share a file: received on one day, with the same features of the same kinds."""
    groups: dict[Any, list[LoggedCall]] = defaultdict(list)
    for call in calls:
        kinds = tuple((name, values.dtype.kind) for name, values in call.rows.columns.items())
        groups[call.received_at.date(), kinds].append(call)
    return list(groups.values())


def as_table(calls: Sequence[LoggedCall]) -> pa.Table:
    """One Arrow row per logged row: the log's own columns, then each feature under its own name."""
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    lengths = [len(call.rows) for call in calls]

    def repeated(value_of: Any, type_: Any) -> Any:
        values = [value_of(call) for call in calls]
        return pa.array([v for v, n in zip(values, lengths, strict=True) for _ in range(n)], type_)

    times = [moment or call.received_at for call in calls for moment in call.rows.event_times]
    scores: list[float | None] = []
    for call in calls:
        scores += [None] * len(call.rows) if call.scores is None else call.scores
    columns: Mapping[str, Any] = {
        "request_id": repeated(lambda c: c.request_id, pa.string()),
        "key": pa.array([key for call in calls for key in call.rows.keys], pa.string()),
        "event_time": pa.array(times, time),
        "received_at": repeated(lambda c: c.received_at, time),
        "version": repeated(lambda c: c.version, pa.string()),
        "role": repeated(lambda c: c.role, pa.string()),
        "mode": repeated(lambda c: c.mode, pa.string()),
        "weight": repeated(lambda c: c.weight, pa.float64()),
        "rollout_id": repeated(lambda c: c.rollout_id, pa.string()),
        "prediction": pa.array(scores, pa.float64()),
        "error": repeated(lambda c: c.error, pa.string()),
        "latency_seconds": repeated(lambda c: c.latency_seconds, pa.float64()),
    }
    return pa.table({**columns, **_features(calls)})


def _features(calls: Sequence[LoggedCall]) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa

    features = {}
    for name in calls[0].rows.columns:
        values = np.concatenate([call.rows.columns[name] for call in calls])
        if values.dtype.kind == "f":
            features[name] = pa.array(values, pa.float64(), from_pandas=True)
        else:
            texts = [None if value is None else str(value) for value in values]
            features[name] = pa.array(texts, pa.string())
    return features
