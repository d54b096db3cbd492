"""The inference log: requests as they came and what was answered, appended to raw segments.

Nothing is parsed or serialised again here, since that would hold the interpreter for as long as it takes and
every request with it. Another process makes Parquet of the segments that are closed: see ``compaction``.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from airflow_mlops.backends.raw_segment import RawCall, RawRequest, request_frame
from airflow_mlops.core.inference_files import RAW
from airflow_mlops.core.values import Role, RolloutMode
from airflow_mlops.exceptions import StoreUnavailable
from airflow_mlops.gateway.log_budget import LogBudget
from airflow_mlops.gateway.log_segment import LogSegment
from airflow_mlops.gateway.rows import Rows
from airflow_mlops.gateway.settings import LogLimits

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
# Whoever is alive has closed a segment long before it is so many times as old as it may get.
_DEAD_AFTER = 10
# What a call weighs in memory beside its body: an estimate, on the safe side.
_CALL_BYTES, _ROW_BYTES = 1_000, 40


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

    @property
    def size(self) -> int:
        return _CALL_BYTES + len(self.rows.source.body) + _ROW_BYTES * len(self.rows)


class LogCounters(Protocol):
    """Told how many rows were written, and how many given up."""

    def written(self, rows: int) -> None: ...

    def dropped(self, rows: int) -> None: ...


class InferenceLogWriter:
    """Takes calls without blocking and appends them in a thread of its own.

    While the disk refuses, what is in memory is kept and tried again; beyond ``buffer_bytes`` new calls are
    dropped and counted, and so are all when the log has reached its budget. ``problem`` says why nothing is
    written, or is None. ``shared``: other servers write to the same folder.
    """

    def __init__(
        self,
        folder: Path,
        counters: LogCounters,
        model: str = "",
        limits: LogLimits | None = None,
        *,
        shared: bool = False,
    ) -> None:
        self.problem: str | None = None
        self._folder = folder
        self._counters = counters
        self._model = model
        self._limits = limits or LogLimits()
        self._shared = shared
        self._calls: list[LoggedCall] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._stopping = False
        self._segments: dict[tuple[date, int], LogSegment] = {}
        self._budget = LogBudget(folder, self._limits.budget_bytes)
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)

    @property
    def bytes_on_disk(self) -> int:
        """What the log holds on this disk, Parquet too; it may be half a minute old."""
        return self._budget.used

    def start(self) -> None:
        """Close what an earlier process left open, and begin. Others may be writing only where the log is
        shared: what they have open is then told from what is left by its age."""
        dead_since = time.time() - _DEAD_AFTER * self._limits.segment_seconds if self._shared else math.inf
        for left in (self._folder / RAW).glob("*.open"):
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < dead_since:
                    left.rename(left.with_suffix(".log"))
        self._thread.start()

    def add(self, call: LoggedCall) -> None:
        """Keep a call for the next append; drop and count it when memory is full."""
        size = call.size
        with self._changed:
            if self._bytes + size > self._limits.buffer_bytes:
                self._counters.dropped(len(call.rows))
                return
            self._calls.append(call)
            self._bytes += size
            if self._bytes >= self._limits.append_bytes:
                self._changed.notify()

    def flush(self) -> int:
        """Append everything kept so far and have it on the disk itself; the number of rows.
        Raises ``StoreUnavailable``, and keeps the rows, when the disk will not take them."""
        with self._writing:
            rows = self._append()
            self._told(self._sync)
            return rows

    def close_segments(self, *, older_than_seconds: float = 0.0) -> None:
        """Hand segments over to compaction. Raises ``StoreUnavailable``; the next start then closes them."""
        with self._writing:
            now = time.monotonic()
            for key, segment in list(self._segments.items()):
                if now - segment.opened_at >= older_than_seconds:
                    del self._segments[key]
                    self._told(segment.close)

    def stop(self) -> None:
        """End the thread and write what is left; what cannot be written is dropped and counted."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        try:
            self.flush()
        except StoreUnavailable:
            self._counters.dropped(sum(len(call.rows) for call in self._calls))
        with contextlib.suppress(StoreUnavailable):
            self.close_segments()

    def _run(self) -> None:
        synced = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._bytes >= self._limits.append_bytes,
                    timeout=self._limits.append_seconds,
                )
                if self._stopping:
                    return
            try:
                with self._writing:
                    self._append()
                    if (now := time.monotonic()) - synced >= 1:
                        self._told(self._sync)
                        synced = now
                self.close_segments(older_than_seconds=self._limits.segment_seconds)
            except StoreUnavailable:
                with self._changed:
                    # The buffer stays above append_bytes, which would turn the wait into a busy loop.
                    self._changed.wait_for(lambda: self._stopping, timeout=self._limits.append_seconds)

    def _append(self) -> int:
        with self._changed:
            calls, self._calls = self._calls, []
            self._bytes = 0
        rows, waiting = 0, _by_request(calls)
        try:
            while waiting:
                rows += self._append_some(waiting)
        except OSError as error:
            left = [call for calls in waiting for call in calls]
            with self._changed:
                self._calls = [*left, *self._calls]
                self._bytes += sum(call.size for call in left)
            raise self._refused(error) from error
        return rows

    def _append_some(self, waiting: list[list[LoggedCall]]) -> int:
        """Append the first requests that go to one segment, some hundred kilobytes; the rows written."""
        key, frames, size, rows, taken = None, [], 0, 0, 0
        for calls in waiting:
            if taken and (_segment_key(calls[0]) != key or size >= self._limits.append_bytes):
                break
            key = _segment_key(calls[0])
            taken += 1
            frames.append(_frame(calls))
            size += len(frames[-1])
            rows += sum(len(call.rows) for call in calls)
        if self._budget.allows(size):
            self._segment(waiting[0][0]).append(b"".join(frames), self._limits.segment_bytes)
            self._budget.used += size
            self._counters.written(rows)
            self.problem = None
        else:
            self._counters.dropped(rows)
            self.problem = self._budget.exceeded()
            rows = 0
        del waiting[:taken]
        return rows

    def _segment(self, call: LoggedCall) -> LogSegment:
        key = _segment_key(call)
        segment = self._segments.get(key)
        if segment is None or segment.closed:
            segment = LogSegment(
                self._folder / RAW, self._model, call.rows.source.signature, call.received_at
            )
            self._segments[key] = segment
        return segment

    def _sync(self) -> None:
        for segment in self._segments.values():
            segment.sync()

    def _told(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> StoreUnavailable:
        self.problem = f"The inference log cannot be written below {self._folder}: {error}"
        return StoreUnavailable(
            f"{self.problem}. {sum(len(call.rows) for call in self._calls)} rows wait in memory; free or "
            "remount the disk."
        )


def _by_request(calls: Sequence[LoggedCall]) -> list[list[LoggedCall]]:
    """Calls that one request led to share its body in the log."""
    requests: dict[tuple[int, str], list[LoggedCall]] = {}
    for call in calls:
        requests.setdefault((id(call.rows.source), call.request_id), []).append(call)
    return list(requests.values())


def _segment_key(call: LoggedCall) -> tuple[date, int]:
    """A segment holds the requests of one day, checked against one signature."""
    return call.received_at.date(), id(call.rows.source.signature)


def _frame(calls: Sequence[LoggedCall]) -> bytes:
    first = calls[0]
    source = first.rows.source
    request = RawRequest(
        first.request_id,
        round((first.received_at - _EPOCH) / _MICROSECOND),
        source.shape,
        source.key_base,
        max(len(call.rows) for call in calls),
        [_raw(call) for call in calls],
    )
    return request_frame(request, source.body)


def _raw(call: LoggedCall) -> RawCall:
    numbers = call.rows.numbers
    return RawCall(
        call.version,
        call.role,
        call.mode,
        call.weight,
        call.rollout_id,
        None if numbers is None else list(numbers),
        None if call.scores is None else list(call.scores),
        # A model may raise with half a character in its message, which no file can hold.
        None if call.error is None else call.error.encode("utf-8", "replace").decode(),
        call.latency_seconds,
    )
