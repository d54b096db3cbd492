"""Single rows of a Parquet file by their number, one row group in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlops.core.values import PART_COLUMN

if TYPE_CHECKING:
    import pandas as pd


def rows_at(path: Path, places: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows with these numbers (from 0, rising), numbered anew. Of all columns, or of some; never of a
    snapshot's own column of parts."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = np.asarray(places, dtype=np.int64)
    with pq.ParquetFile(path) as file:
        names = [one for one in file.schema_arrow.names if one != PART_COLUMN]
        names = names if columns is None else [one for one in names if one in set(columns)]
        taken, start = [file.schema_arrow.empty_table().select(names)], 0
        for group in range(file.metadata.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            inside = wanted[(wanted >= start) & (wanted < end)] - start
            if len(inside):
                taken.append(file.read_row_group(group, columns=names).take(inside))
            start = end
        frame: pd.DataFrame = pa.concat_tables(taken).to_pandas()
        return frame


def drawn_places(rows: int, most: int, seed: int = 0) -> list[int]:
    """At most so many numbers of rows, drawn at random and the same on every run, in order."""
    import numpy as np

    if rows <= most:
        return list(range(rows))
    drawn = np.random.default_rng(seed).choice(rows, most, replace=False)
    return [int(one) for one in np.sort(drawn)]
