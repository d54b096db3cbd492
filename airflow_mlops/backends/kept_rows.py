"""Some of the rows of a Parquet file, by their numbers: memory holds a piece of it, and what was picked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PIECE_ROWS = 65_536


def names_in(path: Path) -> list[str]:
    """The names of the columns. Raises ``DataRefused`` where it is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names: list[str] = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRefused(f"{path} cannot be read as Parquet: {error}") from error
    return names


def sample_of(numbers: Any, most: int) -> Any:
    """At most so many of the numbers, drawn at random, in their order; equal ones for equal numbers."""
    import numpy as np

    found = np.asarray(numbers)
    if len(found) > most:
        found = np.random.default_rng(0).choice(found, most, replace=False)
    return np.sort(found)


def rows_at(path: Path, numbers: Any, columns: Sequence[str]) -> pd.DataFrame:
    """The rows of these numbers, which go up from 0, with those of the columns that the file has."""
    import pyarrow as pa

    frame: pd.DataFrame = pa.Table.from_batches(list(_picked(path, numbers, columns))).to_pandas()
    return frame


def pieces_at(path: Path, numbers: Any, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The same rows in their order, piece by piece; one without rows where there are none."""
    for batch in _picked(path, numbers, columns):
        yield batch.to_pandas()


def _picked(path: Path, numbers: Any, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    found, first = False, 0
    with pq.ParquetFile(path) as file:
        wanted = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=_PIECE_ROWS, columns=wanted):
            low, high = np.searchsorted(numbers, (first, first + len(batch)))
            if high > low:
                found = True
                yield batch.take(pa.array(np.asarray(numbers[low:high]) - first))
            first += len(batch)
        if not found:
            yield pa.RecordBatch.from_pylist(
                [], schema=pa.schema([file.schema_arrow.field(name) for name in wanted])
            )
