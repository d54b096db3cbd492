"""Rows of a window out of Parquet files, a piece at a time: memory holds no file and no row group whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.log_folder import RemoteFile
from airflow_mlops.backends.parquet_files import Asked, asked_of, place_of, touching_groups
from airflow_mlops.core.raised import raised
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_BUFFER_BYTES = 1 << 20


def window_chunks(
    files: Sequence[Path],
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str],
    rows: int,
    origin: str,
) -> Iterator[pd.DataFrame]:
    """What ``read_window`` gives, in frames of ``rows``; at least one, if an empty one.

    Whole numbers and flags stay what they are where values are missing: as floats in some pieces only, they
    would be of another type there.
    """
    for table in window_tables(
        files, window, time_column=time_column, columns=columns, rows=rows, origin=origin
    ):
        yield table.to_pandas(types_mapper=_whole_numbers)


def window_tables(
    files: Sequence[Path | RemoteFile],
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str] | None,
    rows: int,
    origin: str,
) -> Iterator[pa.Table]:
    """The same as Arrow tables, all of one schema; ``columns`` None is all there are."""
    import pyarrow as pa

    asked = asked_of(files, window, time_column=time_column, columns=columns, origin=origin)
    try:
        tables = (table for file in asked.files for table in _tables(file, asked, window, time_column, rows))
        yield from _regular(tables, asked, rows)
    except OSError as error:
        raise DataRefused(f"{origin} cannot be read: {error}") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        # Where a column's values do not fit the type that other files have, Arrow quotes them.
        raise DataRefused(
            f"{origin} cannot be read: {raised(error)}; look for a damaged file, or a column whose type has "
            "changed"
        ) from None


def _tables(
    file: Path | RemoteFile, asked: Asked, window: Window, time_column: str, rows: int
) -> Iterator[pa.Table]:
    """A file's rows of the window. Each batch is read when it is asked for: a dataset's scanner reads up to a
    gibibyte ahead, whatever its read-ahead is set to."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, filesystem = place_of(file)
    with pq.ParquetFile(path, filesystem=filesystem, pre_buffer=False, buffer_size=_BUFFER_BYTES) as opened:
        there = set(opened.schema_arrow.names)
        if time_column not in there:
            return
        batches = opened.iter_batches(
            batch_size=rows,
            row_groups=touching_groups(opened.metadata, window, time_column),
            columns=[name for name in asked.columns if name in there],
        )
        for batch in batches:
            table = pa.Table.from_batches([batch])
            columns = [
                table[field.name].cast(field.type) if field.name in there else _nulls(table, field)
                for field in _fields(asked)
            ]
            yield pa.table(columns, schema=pa.schema(_fields(asked))).filter(asked.condition)


def _fields(asked: Asked) -> list[pa.Field]:
    return [asked.schema.field(name) for name in asked.columns]


def _nulls(table: pa.Table, field: pa.Field) -> pa.Array:
    """A column that only other files have."""
    import pyarrow as pa

    return pa.nulls(table.num_rows, field.type)


def _regular(tables: Iterator[pa.Table], asked: Asked, rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of ``rows``, the last one of what is left: a filter leaves small ones."""
    import pyarrow as pa

    held: list[pa.Table] = []
    count = given = 0
    for table in tables:
        if table.num_rows:
            held.append(table)
            count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(held)
            yield whole.slice(0, rows)
            count, given = count - rows, given + 1
            # A slice without rows would hold the memory of all that it was cut from, one after the other.
            held = [whole.slice(rows)] if count else []
    if count:
        yield pa.concat_tables(held)
    elif not given:
        yield pa.schema(_fields(asked)).empty_table()


def _whole_numbers(kind: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    return pd.ArrowDtype(kind) if pa.types.is_integer(kind) or pa.types.is_boolean(kind) else None
