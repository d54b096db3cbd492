"""Rows in Parquet files, read in one pass by batches or a column at a time: never all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_mlops.backends.log_folder import RemoteFile
from airflow_mlops.backends.parquet_files import place_of
from airflow_mlops.core.values import PART_COLUMN
from airflow_mlops.exceptions import DataRefused

BATCH_ROWS = 131_072
_BUFFER_BYTES = 1 << 20
_REMOTE_BUFFER_BYTES = 8 << 20
_NOT_SEEN: tuple[str, ...] = ("left_out",)


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """The rows of files, local or in a bucket. Of a snapshot only what was trained or evaluated on: rows that
    were left out have nothing to say. ``name`` is for errors."""

    name: str
    files: tuple[Path | RemoteFile, ...]

    def batches(
        self, columns: Sequence[str], *, encoded: Sequence[str] = (), rows: int = BATCH_ROWS
    ) -> Iterator[Any]:
        """Record batches of these columns. Columns named in ``encoded`` come as dictionaries where the file
        has them as text, which is how Parquet keeps them. Raises ``DataRefused``."""
        for file in self.files:
            with self._opened(file, encoded) as opened:
                there = opened.schema_arrow.names
                self._refuse_missing(columns, there)
                marked = PART_COLUMN in there
                read = [*columns, PART_COLUMN] if marked else list(columns)
                for batch in opened.iter_batches(batch_size=rows, columns=read):
                    yield _without_left_out(batch) if marked else batch

    def column(self, name: str, *, encoded: bool = False) -> Any:
        """One column of all rows."""
        import pyarrow as pa

        pieces = [batch.column(name) for batch in self.batches([name], encoded=[name] if encoded else [])]
        return pa.chunked_array(pieces) if pieces else pa.chunked_array([pa.nulls(0)])

    @property
    def names(self) -> frozenset[str]:
        """The columns that any of the files has."""
        found: set[str] = set()
        for file in self.files:
            with self._opened(file, ()) as opened:
                found |= set(opened.schema_arrow.names)
        return frozenset(found)

    def latest(self, time_column: str) -> datetime | None:
        """The latest time by the files' own statistics; None where they have none."""
        found: list[datetime] = []
        for file in self.files:
            with self._opened(file, ()) as opened:
                metadata = opened.metadata
                if time_column not in metadata.schema.names:
                    continue
                index = metadata.schema.names.index(time_column)
                for group in range(metadata.num_row_groups):
                    bounds = metadata.row_group(group).column(index).statistics
                    if bounds is not None and bounds.has_min_max and isinstance(bounds.max, datetime):
                        found.append(bounds.max)
        return max(found, default=None)

    @property
    def total(self) -> int:
        """How many rows the files say they have, left-out ones among them."""
        count = 0
        for file in self.files:
            with self._opened(file, ()) as opened:
                count += opened.metadata.num_rows
        return count

    @contextmanager
    def _opened(self, file: Path | RemoteFile, encoded: Sequence[str]) -> Iterator[Any]:
        """Each page is read when it is asked for: a dataset's scanner reads up to a gibibyte ahead."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, filesystem = place_of(file)
        buffer = _BUFFER_BYTES if filesystem is None else _REMOTE_BUFFER_BYTES
        try:
            metadata = pq.read_metadata(path, filesystem=filesystem)
            with pq.ParquetFile(
                path,
                filesystem=filesystem,
                metadata=metadata,
                read_dictionary=[name for name in encoded if name in metadata.schema.names],
                pre_buffer=False,
                buffer_size=buffer,
            ) as opened:
                yield opened
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise DataRefused(f"the {self.name} data cannot be read: {file}: {error}") from error

    def _refuse_missing(self, columns: Sequence[str], there: Sequence[str]) -> None:
        missing = [name for name in columns if name not in there]
        if missing:
            raise DataRefused(f"the {self.name} data lacks {', '.join(missing)}: drift cannot be scored")


def _without_left_out(batch: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = batch.column(PART_COLUMN)
    seen = pc.invert(pc.is_in(parts, value_set=pa.array(_NOT_SEEN, parts.type)))
    return batch.filter(seen).drop_columns([PART_COLUMN])
