"""Reads the rows of a window out of many Parquet files, only the columns and row groups that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.row_window import no_time, refuse_missing_columns
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def read_window(
    files: Sequence[Path],
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str] | None,
    origin: str,
) -> pd.DataFrame:
    """Rows with ``window.start <= time_column < window.end`` and ``columns`` (None: all), unordered.

    Files may differ: a column that only some have is null in the others, and numbers are widened. Raises
    ``DataRefused`` that names the file that cannot be read, or the columns that no file has.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = _common_schema(files, origin)
    wanted = list(schema.names if columns is None else dict.fromkeys([time_column, *columns]))
    refuse_missing_columns([time_column, *wanted], schema.names, origin)
    try:
        dataset = ds.dataset([str(file) for file in files], schema=schema, format="parquet")
        table = dataset.to_table(columns=wanted, filter=_inside(schema, time_column, window, origin))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
        raise DataRefused(f"{origin} cannot be read: {error}") from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def empty_frame(time_column: str, columns: Sequence[str]) -> pd.DataFrame:
    """No rows, these columns, the time column with the type of times."""
    import pandas as pd

    frame = pd.DataFrame(columns=list(columns))
    return frame.astype({time_column: "datetime64[us, UTC]"}) if time_column in columns else frame


def _common_schema(files: Sequence[Path], origin: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = []
    for file in files:
        try:
            schemas.append(pq.read_schema(file).remove_metadata())
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
