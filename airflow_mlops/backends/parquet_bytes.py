"""A frame as Parquet bytes, the same bytes for the same content, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.raised import raised
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def as_table(frame: pd.DataFrame) -> pa.Table:
    """An Arrow table whose types do not depend on how pandas holds the frame.

    Times become microseconds in UTC (a time without a zone is taken as UTC), text is ``string``. The index
    and pandas' own metadata, which names the pandas version, are left out. Raises ``DataRefused`` that names
    a column of mixed types.
    """
    import pyarrow as pa

    if not frame.columns.is_unique:
        twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise DataRefused(f"columns appear twice: {', '.join(twice)}; rename or drop one of each")
    arrays, fields = [], []
    for name in frame.columns:
        array = _array(str(name), frame[name])
        arrays.append(array)
        fields.append(pa.field(str(name), array.type))
    return pa.table(arrays, schema=pa.schema(fields))


def to_bytes(table: pa.Table) -> bytes:
    """Parquet with every choice that pyarrow might change its mind about spelled out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        row_group_size=131_072,
        use_dictionary=True,
        write_statistics=True,
        coerce_timestamps=None,
        store_schema=True,
    )
    body: bytes = sink.getvalue().to_pybytes()
    return body


def from_bytes(body: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The frame that these bytes hold, or some of its columns. Raises ``DataRefused`` that names those that
    are not there."""
    import pyarrow as pa

    return from_file(pa.BufferReader(body), columns)


def from_file(source: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The same of an open file, of which only what is asked for is read."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    missing = sorted(set(columns or ()) - set(file.schema_arrow.names))
    if missing:
        raise DataRefused(f"no column {', '.join(map(repr, missing))} in the kept rows")
    frame: pd.DataFrame = file.read(None if columns is None else list(columns)).to_pandas()
    return frame


def table_from_bytes(body: bytes) -> pa.Table:
    """The Arrow table that these bytes hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(body))


def plain_types(table: pa.Table) -> pa.Table:
    """The same rows in the types that ``as_table`` gives."""
    import pyarrow as pa

    return table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema]), safe=False)


def schema_hash(table: pa.Table) -> str:
    """Of the columns' names and types, in order."""
    return content_hash([[field.name, str(field.type)] for field in table.schema])


def _array(name: str, column: Any) -> Any:
    import pyarrow as pa

    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataRefused(
            f"column {name!r} cannot be kept as Parquet: {raised(error)}. Give all its values one type"
        ) from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(_plain(array.type), safe=False) if _plain(array.type) != array.type else array


def _plain(type_: Any) -> Any:
    """The one type that stands for all of its kind."""
    import pyarrow as pa

    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_dictionary(type_):
        return pa.dictionary(pa.int32(), _plain(type_.value_type), ordered=type_.ordered)
    return type_
