"""Single rows of a Parquet file by their number, one row group in memory at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlops.core.values import PART_COLUMN

if TYPE_CHECKING:
    import pandas as pd


def rows_at(path: Path, places: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows with these numbers (from 0, rising), numbered anew. Of all columns, or of some; never of a
    snapshot's own column of parts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = [one for one in file.schema_arrow.names if one != PART_COLUMN]
        names = names if columns is None else [one for one in names if one in set(columns)]
        taken, start = [file.read_row_groups([], columns=names)], 0
        for group in range(file.metadata.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if inside := [place - start for place in places if start <= place < end]:
                taken.append(file.read_row_group(group, columns=names).take(pa.array(inside)))
            start = end
        frame: pd.DataFrame = pa.concat_tables(taken).to_pandas()
        return frame


def drawn_places(rows: int, most: int, seed: int = 0) -> list[int]:
    """At most so many numbers of rows, drawn at random and the same on every run, in order."""
    if rows <= most:
        return list(range(rows))
    return sorted(random.Random(seed).sample(range(rows), most))  # noqa: S311 (a sample, no secret)
