"""The kept answers of a window by version, read a piece at a time: a window may be larger than memory."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from airflow_mlops.backends.drift.rows import ParquetRows

VERSION = "version"


def rows_of_versions(path: Path) -> dict[str, int]:
    """How many rows each version answered, by the version. Raises ``DataRefused``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[str, int] = {}
    for batch in ParquetRows("window's", (path,)).batches([VERSION]):
        for one in pc.value_counts(batch.column(0).cast(pa.string())):
            version = one["values"].as_py()
            if version is not None:
                found[version] = found.get(version, 0) + one["counts"].as_py()
    return dict(sorted(found.items()))


def leave_out(path: Path, versions: Collection[str], to: Path) -> None:
    """Write the rows of all other versions, in their order. Raises ``DataRefused``."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows, schema = ParquetRows("window's", (path,)), pq.read_schema(path)
    with pq.ParquetWriter(to, schema, compression="zstd", compression_level=3) as writer:
        for batch in rows.batches(schema.names):
            theirs = pc.is_in(batch.column(VERSION).cast(pa.string()), value_set=pa.array(list(versions)))
            kept = batch.filter(pc.invert(theirs))
            if kept.num_rows:
                writer.write_batch(kept, row_group_size=kept.num_rows)
