"""Reads the rows of a window out of many Parquet files, only the columns and row groups that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.log_folder import RemoteFile
from airflow_mlops.backends.row_window import no_time, refuse_missing_columns
from airflow_mlops.core.raised import raised
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def read_window(
    files: Sequence[Path | RemoteFile],
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str] | None,
    origin: str,
) -> pd.DataFrame:
    """Rows with ``window.start <= time_column < window.end`` and ``columns`` (None: all), unordered.

    Files may differ: a column that only some have is null in the others, and numbers are widened. Files
    whose statistics say that they lie outside the window are left out before they have to fit together, so
    that a column whose type was changed long ago hinders nobody. Raises ``DataRefused`` that names the
    file that cannot be read, or the columns that no file has.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    asked = asked_of(files, window, time_column=time_column, columns=columns, origin=origin)
    try:
        dataset = ds.dataset([_dataset(file, asked.schema) for file in asked.files])
        table = dataset.to_table(columns=list(asked.columns), filter=asked.condition)
    except OSError as error:
        raise DataRefused(f"{origin} cannot be read: {error}") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        # Where a column's values do not fit the type that other files have, Arrow quotes them.
        raise DataRefused(
            f"{origin} cannot be read: {raised(error)}; look for a damaged file, or a column whose type has "
            "changed"
        ) from None
    frame: pd.DataFrame = table.to_pandas()
    return frame


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a reading comes to: the files that may have rows of the window, the types that they share, the
    columns to read, and the condition that a row must meet."""

    files: Sequence[Path | RemoteFile]
    schema: Any
    columns: Sequence[str]
    condition: Any


def asked_of(
    files: Sequence[Path | RemoteFile],
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str] | None,
    origin: str,
) -> Asked:
    """Raises ``DataRefused`` where the files do not fit together, or lack a column."""
    # One file is kept where none lies inside: its schema makes the empty frame.
    files = [file for file in files if _may_touch(file, window, time_column)] or files[-1:]
    schema = _common_schema(files, origin)
    wanted = list(schema.names if columns is None else dict.fromkeys([time_column, *columns]))
    refuse_missing_columns([time_column, *wanted], schema.names, origin)
    return Asked(files, schema, wanted, _inside(schema, time_column, window, origin))


def empty_frame(time_column: str, columns: Sequence[str]) -> pd.DataFrame:
    """No rows, these columns, the time column with the type of times."""
    import pandas as pd

    frame = pd.DataFrame(columns=list(columns))
    return frame.astype({time_column: "datetime64[us, UTC]"}) if time_column in columns else frame


def _dataset(file: Path | RemoteFile, schema: Any) -> Any:
    import pyarrow.dataset as ds

    path, filesystem = place_of(file)
    return ds.dataset(path, schema=schema, format="parquet", filesystem=filesystem)


def place_of(file: Path | RemoteFile) -> tuple[str, Any]:
    """The path, and the file system where it is not the local one."""
    return (file.path, file.filesystem) if isinstance(file, RemoteFile) else (str(file), None)


def _may_touch(file: Path | RemoteFile, window: Window, time_column: str) -> bool:
    """False only where every row group's statistics prove it; a file that cannot be read is left to fail."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        path, filesystem = place_of(file)
        metadata = pq.read_metadata(path, filesystem=filesystem)
    except (pa.ArrowInvalid, OSError):
        return True
    return time_column not in metadata.schema.names or bool(touching_groups(metadata, window, time_column))


def touching_groups(metadata: Any, window: Window, time_column: str) -> list[int]:
    """The row groups of a file whose statistics do not prove that all their rows lie outside the window."""
    column = metadata.schema.names.index(time_column)
    return [
        number
        for number in range(metadata.num_row_groups)
        if _touches(metadata.row_group(number).column(column).statistics, window)
    ]


def _touches(bounds: Any, window: Window) -> bool:
    if bounds is None or not bounds.has_min_max or not isinstance(bounds.min, datetime):
        return True
    earliest, latest = (
        moment.replace(tzinfo=moment.tzinfo or timezone.utc) for moment in (bounds.min, bounds.max)
    )
    return bool(earliest < window.end and latest >= window.start)


def _common_schema(files: Sequence[Path | RemoteFile], origin: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = []
    for file in files:
        try:
            path, filesystem = place_of(file)
            schemas.append(pq.read_schema(path, filesystem=filesystem).remove_metadata())
        except (pa.ArrowInvalid, OSError) as error:
            raise DataRefused(
                f"{file} is not a whole Parquet file: {error}. Write it again, or move it away; it is best "
                "written under a name that starts with a dot and then renamed"
            ) from error
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataRefused(f"the files of {origin} do not fit together: {error}") from error


def _inside(schema: Any, time_column: str, window: Window, origin: str) -> Any:
    """The filter that pyarrow pushes down to the row groups' statistics."""
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = schema.field(time_column).type
    if not pa.types.is_timestamp(type_):
        raise no_time(time_column, type_, origin)
    start, end = window.start.astimezone(timezone.utc), window.end.astimezone(timezone.utc)
    if type_.tz is None:
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    # Seconds would round the bounds; microseconds are what a Python datetime holds.
    bound = pa.timestamp("us", tz=type_.tz)
    field = pc.field(time_column)
    return (field >= pa.scalar(start, bound)) & (field < pa.scalar(end, bound))
