"""The answers of a window as one Parquet file: what the monitor looks at, written in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.log_folder import RemoteFile
from airflow_mlops.backends.parquet_chunks import window_tables
from airflow_mlops.core.windows import Window

PIECE_ROWS = 500_000


def write_answers(
    files: Sequence[Path | RemoteFile], window: Window, to: Path, *, origin: str, rows: int = PIECE_ROWS
) -> int:
    """The rows of the window that are no shadow's and no errors; how many they are. No file is written where
    there are none. Each piece of ``rows`` is by event time: so is all of it, where it is no more than that.
    """
    import pyarrow.parquet as pq

    if not files:
        return 0
    count, writer = 0, None
    try:
        for table in window_tables(
            files, window, time_column="event_time", columns=None, rows=rows, origin=origin
        ):
            seen = _in_order(_seen(table))
            if not seen.num_rows:
                continue
            writer = writer or pq.ParquetWriter(to, seen.schema, compression="zstd", compression_level=3)
            writer.write_table(seen, row_group_size=131_072)
            count += seen.num_rows
    finally:
        if writer is not None:
            writer.close()
    return count


def _seen(table: Any) -> Any:
    """Answers that somebody saw."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shadow = pc.fill_null(pc.equal(table["role"].cast(pa.string()), "shadow"), False)
    return table.filter(pc.and_(pc.invert(shadow), pc.is_null(table["error"])))


def _in_order(table: Any) -> Any:
    import pyarrow.compute as pc

    table = parquet_bytes.plain_types(table)
    return table.take(pc.sort_indices(table, sort_keys=[("event_time", "ascending")]))
