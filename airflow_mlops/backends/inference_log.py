"""What the model server answered: Parquet files below ``date=<day>/``, and raw segments that are not yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from airflow_mlops.backends.answers_kept import write_answers
from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.log_compaction import replaced_by_day_files, write_part
from airflow_mlops.backends.log_folder import DiskFolder, LogFolder, RemoteFile, log_folder
from airflow_mlops.backends.parquet_files import empty_frame, read_window
from airflow_mlops.backends.raw_rows import SegmentTables
from airflow_mlops.backends.raw_segment import DamagedSegment
from airflow_mlops.backends.row_window import rows_in_window
from airflow_mlops.core.inference_files import Counting, counting, day_of, vanished
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import BackendUnavailable, DataRefused

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = ("request_id", "key", "event_time", "received_at", "version", "role", "prediction")
ALSO = ("mode", "weight", "rollout_id", "error", "latency_seconds")
_TRIES = 20
Read = TypeVar("Read")
_FAR = datetime(2200, 1, 1, tzinfo=timezone.utc)


class ParquetInferenceLog:
    """Reads the log of a server that may be writing, and compacting, at this moment: every row is there once.

    ``location`` is the folder or bucket that the server's Parquet files are in, where that is not the store's
    ``inference``. The server's raw segments are seen where they lie in the store.
    """

    def __init__(self, store: ObjectStore, location: str | None = None) -> None:
        self._store = store
        self._location = location

    def read(self, model: str, window: Window, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows with event time in the window, by event time; empty where nothing was asked.

        Always has the columns of ``ALWAYS``; ``columns`` (None: all there are) adds to them. A feature that
        some versions of the model did not have is null in their rows. Raises ``DataRefused`` for one that
        no file has, and for a damaged file.
        """

        def rows(raw: LogFolder, parquet: LogFolder, found: Counting) -> pd.DataFrame:
            return _read(raw, parquet, found, model, window, columns)

        return self._listed(model, rows)

    def keep_answers(self, model: str, window: Window, file: Path) -> int:
        """Write the answers that somebody saw to one Parquet file, some hundred thousand rows at a time, each
        piece by event time; how many they are. Raises ``DataRefused`` for a damaged file."""

        def rows(raw: LogFolder, parquet: LogFolder, found: Counting) -> int:
            with _files(raw, parquet, found) as files:
                return write_answers(files, window, file, origin=f"the inference log of {model}")

        return self._listed(model, rows)

    def of_rollout(
        self, model: str, rollout_id: str, since: datetime, columns: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Rows of one rollout, received since a moment and in that order, whatever their event time.

        Has the columns of ``ALWAYS`` and ``ALSO``, and ``columns``. Raises as ``read`` does.
        """
        window, wanted = Window(since, _FAR), list(dict.fromkeys([*ALSO, *columns]))
        # A file lies in the folder of the day that its first row was received; others may be of the next.
        first = (window.start - timedelta(days=1)).date()

        def rows(raw: LogFolder, parquet: LogFolder, found: Counting) -> pd.DataFrame:
            days = {name: day_of(name) for name in found.parquet}
            recent = tuple(name for name, day in days.items() if day is None or day >= first)
            return _read(
                raw, parquet, replace(found, parquet=recent), model, window, wanted, time_column="received_at"
            )

        received = self._listed(model, rows)
        return received[received["rollout_id"] == rollout_id].reset_index(drop=True)

    def _listed(self, model: str, rows: Callable[[LogFolder, LogFolder, Counting], Read]) -> Read:
        """What ``rows`` makes of the files that count, listed again where they changed under its hands."""
        raw = DiskFolder(_folder_of(self._store, model))
        parquet = raw if self._location is None else log_folder(self._location, model)
        fault: Exception | None = None
        for _ in range(_TRIES):
            # Two listings, since one alone may miss a file and what replaces it: see ``vanished``.
            earlier, names = _names(raw, parquet), _names(raw, parquet)
            if vanished(earlier, names):
                continue
            try:
                found = counting(names, replaced_by_day_files(parquet, names))
                return rows(raw, parquet, found)
            except (DataRefused, OSError) as error:
                if names == _names(raw, parquet):
                    raise
                # A file that was renamed or replaced after it was listed; the next listing has the other.
                fault = error
        raise fault or BackendUnavailable(
            f"The inference log of {model} was rewritten each of the {_TRIES} times that it was listed. Is "
            "more than one server or `airflow-mlops compact-log` at work on it?"
        )


def _folder_of(store: ObjectStore, model: str) -> Path:
    """The model's folder in the store, whose keys are files."""
    uri = urlsplit(store.uri(f"inference/{model}"))
    if uri.scheme != "file":
        raise DataRefused(f"the inference log is read from a folder, and the store is at {uri.geturl()}")
    return Path(unquote(uri.path))


def _names(raw: LogFolder, parquet: LogFolder) -> list[str]:
    # Segments first: one that is gone by then has its part in the second listing.
    return sorted({*raw.names(), *(parquet.names() if parquet is not raw else ())})


def _read(
    raw: LogFolder,
    parquet: LogFolder,
    found: Counting,
    model: str,
    window: Window,
    columns: Sequence[str] | None,
    *,
    time_column: str = "event_time",
) -> pd.DataFrame:
    wanted = None if columns is None else list(dict.fromkeys([*ALWAYS, *columns]))
    with _files(raw, parquet, found) as files:
        if not files:
            return empty_frame("event_time", wanted or [*ALWAYS, *ALSO])
        origin = f"the inference log of {model}"
        rows = read_window(files, window, time_column=time_column, columns=wanted, origin=origin)
    return rows_in_window(
        rows, window, time_column=time_column, columns=wanted or list(rows.columns), origin=origin
    )


@contextmanager
def _files(raw: LogFolder, parquet: LogFolder, found: Counting) -> Iterator[list[Path | RemoteFile]]:
    """All that counts, as Parquet: the rows that are not so yet go through a file, so that they are filtered
    and fitted as all others are."""
    with tempfile.TemporaryDirectory(prefix="airflow-mlops-log-") as scratch:
        segments = _as_parquet((raw.file(name) for name in found.segments), Path(scratch))
        yield [*(parquet.file(name) for name in found.parquet), *segments]


def _as_parquet(segments: Iterable[Path | RemoteFile], scratch: Path) -> list[Path]:
    written = []
    for segment in segments:
        if isinstance(segment, RemoteFile):
            raise AssertionError("segments are on the disk of the server that writes them")
        try:
            tables = SegmentTables(segment.read_bytes())
        except DamagedSegment:
            # The server has just made it, or compaction will put it aside and say so.
            continue
        path = scratch / f"{segment.stem}.parquet"
        with path.open("wb") as file:
            if write_part(tables, file):
                written.append(path)
    return written
