"""One growing file of the inference log."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from datetime import datetime
from pathlib import Path

from airflow_mlops.backends.raw_segment import FORMAT, SegmentHead, first_frame
from airflow_mlops.core.inference_files import segment_id
from airflow_mlops.gateway.rows import Signature


class LogSegment:
    """One growing file. A write that fails is taken back, so that nothing stands after half a frame."""

    def __init__(self, folder: Path, model: str, signature: Signature, received_at: datetime) -> None:
        # Kept, since segments are found by its identity, which another could otherwise have after it.
        self._signature = signature
        head = SegmentHead(
            FORMAT, model, dict(signature.columns), signature.key_column, signature.time_column
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{segment_id(received_at, uuid.uuid4().hex[:12])}.open"
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        self._size = 0
        self.closed = False
        self.opened_at = time.monotonic()
        self._write(first_frame(head))

    def append(self, frames: bytes, limit: int) -> None:
        """Write whole frames; the segment is closed when it is as long as the limit."""
        self._write(frames)
        if self._size >= limit:
            self.close()

    def sync(self) -> None:
        if not self.closed:
            os.fsync(self._file)

    def close(self) -> None:
        """Hand it over to compaction."""
        if self.closed:
            return
        self.closed = True
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
        self._path.rename(self._path.with_suffix(".log"))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            self.closed = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            os.close(self._file)
            with contextlib.suppress(OSError):
                self._path.rename(self._path.with_suffix(".log"))
            raise
        self._size += len(data)
