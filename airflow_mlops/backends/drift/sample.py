"""A random sample of rows that are read once, batch after batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlops.backends.drift.rows import ParquetRows

_SEED = 0


class Sampler:
    """Each row draws a number, and the rows with the smallest stay: all are equally likely, however many
    there are, and the same rows in the same order give the same sample."""

    def __init__(self, columns: Sequence[str], size: int) -> None:
        import numpy as np

        self._columns, self._size = list(columns), size
        self._random = np.random.default_rng(_SEED)
        self._limit = 1.0
        self._held: list[Any] = []
        self._drawn: list[Any] = []
        self._count = 0

    def add(self, batch: Any) -> None:
        """Take up those of a batch's rows that may stay."""
        import pyarrow as pa

        drawn = self._random.random(batch.num_rows)
        stay = drawn < self._limit
        if not stay.any():
            return
        kept = pa.Table.from_batches([batch.select(self._columns).filter(pa.array(stay))])
        self._held.append(_plain(kept))
        self._drawn.append(drawn[stay])
        self._count += kept.num_rows
        if self._count > 2 * self._size:
            self._prune()

    def table(self) -> Any:
        """The sample, in the order of the rows."""
        import pyarrow as pa

        if not self._held:
            return pa.table({name: pa.nulls(0) for name in self._columns})
        self._prune()
        return self._held[0]

    def _prune(self) -> None:
        import numpy as np
        import pyarrow as pa

        drawn = np.concatenate(self._drawn)
        whole = pa.concat_tables(self._held, promote_options="permissive")
        if len(drawn) > self._size:
            self._limit = float(np.partition(drawn, self._size)[self._size])
            stay = drawn < self._limit
            whole, drawn = whole.filter(pa.array(stay)), drawn[stay]
        self._held, self._drawn, self._count = [whole.combine_chunks()], [drawn], len(drawn)


def sample_of(rows: ParquetRows, columns: Sequence[str], size: int) -> Any:
    """A sample of all rows, as an Arrow table."""
    sampler = Sampler(columns, size)
    for batch in rows.batches(list(columns)):
        sampler.add(batch)
    return sampler.table()


def _plain(table: Any) -> Any:
    """Without dictionaries, which differ from batch to batch and would grow by every one of them."""
    import pyarrow as pa

    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
