"""Turns closed raw segments into Parquet, and a day's small files into one.

Each step writes the file that stands for others before it removes them, and who reads counts each row
once in between (``core.inference_files``). A process that is killed leaves at most such a state; the next
one begins by finishing it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_mlops.backends.log_folder import DiskFolder, LogFolder, RemoteFile
from airflow_mlops.backends.raw_rows import SegmentTables
from airflow_mlops.backends.raw_segment import DamagedSegment
from airflow_mlops.core.inference_files import (
    DAY_FILE,
    RAW,
    counting,
    day_of,
    is_day_file,
    is_parquet,
    part_of,
    segment_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

REPLACES = b"airflow_mlops.replaces"
_MANY_PARTS = 64
_ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one compaction did. ``damaged`` segments were put aside as ``raw/<id>.damaged``."""

    segments: int = 0
    rows: int = 0
    merged: int = 0
    days_removed: int = 0
    unreadable_rows: int = 0
    damaged: tuple[str, ...] = ()
    busy: bool = False


def compact(root: Path, folder: LogFolder, *, today: date, keep_days: int | None = None) -> Compacted:
    """Work off what is closed below ``root/raw`` into ``folder``. ``busy`` where another process does.
    Raises ``StoreUnavailable`` or ``OSError``; what is done then stays done."""
    with _alone(root) as alone:
        if not alone:
            return Compacted(busy=True)
        if isinstance(folder, DiskFolder):
            folder.remove_unfinished()
        finish(root, folder)
        done = _segments(root, folder)
        merged = sum(_merge(folder, day, names, today) for day, names in _days(folder).items())
        removed = 0
        if keep_days is not None:
            removed = _remove_before(folder, today - timedelta(days=keep_days))
        return Compacted(done.segments, done.rows, merged, removed, done.unreadable_rows, done.damaged)


def finish(root: Path, folder: LogFolder) -> None:
    """Remove what an earlier compaction had replaced when it was killed."""
    names = folder.names()
    replaces = replaced_by_day_files(folder, names)
    kept = set(counting(names, replaces).parquet)
    gone = {name for others in replaces.values() for name in others}
    for name in names:
        if is_parquet(name) and name not in kept:
            folder.remove(name)
    for path in _closed(root):
        if part_of(path.stem) in kept | gone:
            path.unlink()


def replaced_by_day_files(folder: LogFolder, names: Iterable[str]) -> dict[str, list[str]]:
    """The names that each day file says it stands for."""
    return {name: _replaced(folder.file(name)) for name in names if is_day_file(name)}


def write_part(tables: SegmentTables, file: Any) -> int:
    """A segment as one Parquet file; its rows."""
    rows = 0
    with _RowGroups(file, tables.schema) as written:
        for table in tables:
            written.add(table)
            rows += table.num_rows
    return rows


def _segments(root: Path, folder: LogFolder) -> Compacted:
    segments = rows = unreadable = 0
    damaged = []
    for path in _closed(root):
        try:
            tables = SegmentTables(path.read_bytes())
        except DamagedSegment as error:
            path.rename(path.with_suffix(".damaged"))
            damaged.append(f"{path.with_suffix('.damaged')}: {error}")
            continue
        with folder.writing(part_of(path.stem)) as file:
            rows += write_part(tables, file)
        path.unlink()
        segments += 1
        unreadable += tables.unreadable
    return Compacted(segments, rows, unreadable_rows=unreadable, damaged=tuple(damaged))


def _closed(root: Path) -> list[Path]:
    return sorted(path for path in (root / RAW).glob("*.log") if segment_of(f"{RAW}/{path.name}"))


def _days(folder: LogFolder) -> dict[date, list[str]]:
    days: dict[date, list[str]] = defaultdict(list)
    for name in folder.names():
        day = day_of(name)
        if day is not None and is_parquet(name):
            days[day].append(name)
    return days


def _merge(folder: LogFolder, day: date, names: list[str], today: date) -> int:
    """A day that is over becomes one file for each set of columns. One that goes on is merged whenever it has
    many small files, each of which is then rewritten at most twice."""
    if day >= today:
        names = [name for name in names if not is_day_file(name)]
        if len(names) < _MANY_PARTS:
            return 0
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[str(_schema(folder.file(name)))].append(name)
    merged = 0
    for group in alike.values():
        if len(group) > 1:
            _replace(folder, day, group)
            merged += len(group)
    return merged


def _replace(folder: LogFolder, day: date, names: list[str]) -> None:
    schema = _schema(folder.file(names[0])).with_metadata({REPLACES: json.dumps(names)})
    with (
        folder.writing(f"date={day:%Y-%m-%d}/{DAY_FILE}{uuid4().hex[:12]}.parquet") as file,
        _RowGroups(file, schema) as written,
    ):
        for name in names:
            for table in _tables(folder.file(name)):
                written.add(table.replace_schema_metadata(schema.metadata))
    for name in names:
        folder.remove(name)


def _remove_before(folder: LogFolder, first: date) -> int:
    old = {day for day in _days(folder) if day < first}
    for day in old:
        folder.remove_folder(f"date={day:%Y-%m-%d}")
    return len(old)


class _RowGroups:
    """A Parquet file that is written in row groups of a good size out of tables of any."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._tables: list[pa.Table] = []
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += table.num_rows
        if self._rows >= _ROW_GROUP_ROWS:
            self._write()

    def __enter__(self) -> _RowGroups:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        if self._tables:
            self._writer.write_table(pa.concat_tables(self._tables))
        self._tables, self._rows = [], 0


def _tables(file: Path | RemoteFile) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(file) as source, pq.ParquetFile(source) as parquet:
        for batch in parquet.iter_batches(_ROW_GROUP_ROWS // 2):
            yield pa.Table.from_batches([batch])


def _schema(file: Path | RemoteFile) -> pa.Schema:
    import pyarrow.parquet as pq

    with _opened(file) as source:
        return pq.read_schema(source).remove_metadata()


def _replaced(file: Path | RemoteFile) -> list[str]:
    import pyarrow.parquet as pq

    with _opened(file) as source:
        metadata = pq.read_metadata(source).metadata or {}
    names: list[str] = json.loads(metadata.get(REPLACES, b"[]"))
    return names


@contextmanager
def _opened(file: Path | RemoteFile) -> Iterator[Any]:
    if isinstance(file, RemoteFile):
        with file.filesystem.open_input_file(file.path) as source:
            yield source
    else:
        with file.open("rb") as source:
            yield source


@contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """One compaction at a time, held by a lock that the kernel takes back however the process ends."""
    import fcntl

    (root / RAW).mkdir(parents=True, exist_ok=True)
    with (root / RAW / ".compaction.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
