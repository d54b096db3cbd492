"""One partition's Parquet file while it is written: a piece of rows at a time, whatever their number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.batch_answers import Answers, answers, errors_of
from airflow_mlops.backends.batch_log import BatchLog
from airflow_mlops.backends.batch_shadow import BatchShadow
from airflow_mlops.backends.predictions import Piece, ScoreJob
from airflow_mlops.backends.row_hash import RowsVersion, hashes
from airflow_mlops.core.raised import raised
from airflow_mlops.core.scored import ScoredPartition
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pyarrow as pa


_FOOTER_KEY = "airflow_mlops"
_SCORED = TypeAdapter(ScoredPartition)


class PartitionFile:
    """Each piece becomes a row group. What stays in memory: the piece, the sample for the inference log, a
    few counts, and Parquet's own index of row groups."""

    def __init__(self, path: Path, job: ScoreJob, uri: str) -> None:
        self.log = BatchLog(job)
        self._path = path
        self._job = job
        self._uri = uri
        self._version = RowsVersion()
        self._shadow = BatchShadow(job)
        self._errors = 0
        self._columns = list(dict.fromkeys([job.key, job.time, *job.keep]))
        self._empty: Piece | None = None
        self._writer: Any = None

    def __enter__(self) -> PartitionFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, piece: Piece) -> None:
        """Score and write a piece."""
        if not len(piece.rows):
            self._empty = piece
            return
        job, rows = self._job, piece.rows
        found = answers(job.champion.model, piece.features, job.task)
        self._write(self._table(piece, found))
        self._version.add(rows)
        self._errors += int(found.failed.sum())
        drawn = hashes(rows[job.key])
        shadowed = self._shadow.answer(piece.features, found, drawn)
        self.log.add(piece, found, drawn, shadowed)

    def finish(self) -> ScoredPartition:
        """Write the footer; what the partition is from now on."""
        job, rows = self._job, self._version.rows
        if rows < job.minimum_rows:
            raise DataRefused(
                f"{rows} rows in {job.partition.window}, score.minimum_rows asks for {job.minimum_rows}: "
                f"partition {job.partition.name} of {job.model} stays as it was. Is the source late? Clear "
                "this task once its rows are there"
            )
        if self._writer is None:
            self._write_nothing()
        scored = ScoredPartition(
            partition=job.partition,
            uri=self._uri,
            rows=rows,
            errors=self._errors,
            champion=job.champion.ref,
            data_version=self._version.version,
            scored_at=job.scored_at,
            shadow=self._shadow.counts(),
            lineage=job.lineage,
        )
        self._writer.add_key_value_metadata({_FOOTER_KEY: _SCORED.dump_json(scored).decode()})
        self._writer.close()
        self._writer = None
        return scored

    def _write_nothing(self) -> None:
        """No row, and the columns all the same: an empty partition can be read like any other."""
        import numpy as np

        if self._empty is None:
            raise AssertionError("a source gives at least one piece, if an empty one")
        self._write(self._table(self._empty, Answers(np.empty(0))))

    def _table(self, piece: Piece, found: Answers) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        table, count = parquet_bytes.as_table(piece.rows[self._columns]), len(piece.rows)
        kind = pa.int32() if self._job.task == "multiclass_classification" else pa.float64()
        added = {"prediction": pa.array(found.prediction, from_pandas=True).cast(kind)}
        if found.probabilities is not None:
            for number, column in enumerate(found.probabilities.T):
                added[f"probability_{number}"] = pa.array(np.ascontiguousarray(column), from_pandas=True)
        added["model_version"] = pa.array([self._job.champion.ref.version] * count, pa.string())
        added["error"] = pa.array(errors_of(found.failed), pa.string())
        for name, values in added.items():
            table = table.append_column(name, values)
        return table

    def _write(self, table: pa.Table) -> None:
        """All row groups have the first one's types; a column that is empty there is taken for text."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            fields = [
                field.with_type(pa.string()) if pa.types.is_null(field.type) else field
                for field in table.schema
            ]
            texts = [field.name for field in fields if pa.types.is_string(field.type)]
            self._writer = pq.ParquetWriter(
                self._path,
                pa.schema(fields),
                version="2.6",
                compression="zstd",
                compression_level=1,
                use_dictionary=texts,
            )
        schema = self._writer.schema
        if table.schema != schema:
            table = _cast(table, schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))


def footer(file: Path) -> ScoredPartition | None:
    """What a partition's file says that it was made of; None where it says nothing of the kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = pq.read_metadata(file).metadata or {}
        return _SCORED.validate_json(told[_FOOTER_KEY.encode()])
    except (KeyError, ValidationError, pa.ArrowInvalid, OSError):
        return None


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = []
    for field in schema:
        values = table[field.name]
        try:
            columns.append(values.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataRefused(
                f"column {field.name!r} is {field.type} in the partition's first rows and {values.type} in "
                f"later ones ({raised(error)}); give it one type in the source"
            ) from None
    return pa.table(columns, schema=schema)
