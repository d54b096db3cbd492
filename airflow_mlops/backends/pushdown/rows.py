"""A Parquet file under DuckDB: answers to questions, in a bounded amount of memory and off the network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.asking import DATA, Query, Scalar
from airflow_mlops.backends.pushdown.columns import Table

_MEMORY = "640MB"


@contextmanager
def opened(path: Path, table: Table) -> Iterator[ParquetRows]:
    """The file's rows. What does not fit into memory is spilled to a folder that is thrown away."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as folder:
        # DuckDB takes some characters of a path as a pattern; this one has none.
        link = Path(folder, "rows.parquet")
        link.symlink_to(path.resolve())
        connection = duckdb.connect(config=_settings(folder))
        try:
            source = f"read_parquet({sql.text(str(link))}, hive_partitioning = false) AS file({table.places})"
            connection.execute(f"CREATE TEMP VIEW {DATA} AS SELECT {table.select} FROM {source}")
            yield ParquetRows(connection, table)
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """No error of DuckDB's leaves here: it may quote a value."""

    connection: Any
    table: Table

    def answers(self, questions: Iterable[Scalar | Query]) -> dict[Scalar | Query, Any]:
        """Of each question that could be answered: all scalars in one scan, unless one of them fails."""
        asked = list(dict.fromkeys(questions))
        scalars = [one for one in asked if isinstance(one, Scalar)]
        found: dict[Scalar | Query, Any] = dict(self._scalars(scalars).items())
        for one in asked:
            if isinstance(one, Query) and (row := self._row(one.sql)) is not None:
                found[one] = row
        return found

    def at_fault(self, condition: str, most: int) -> tuple[tuple[str | None, ...], ...]:
        """The first rows that meet a condition, as text: for a report, and for nothing else."""
        import duckdb

        shown = ", ".join(column.as_text for column in self.table.columns.values())
        try:
            rows = self.connection.execute(f"SELECT {shown} FROM {DATA} WHERE {condition} LIMIT {most}")
            return tuple(rows.fetchall())
        except duckdb.Error:
            return ()

    def _scalars(self, scalars: Sequence[Scalar]) -> Mapping[Scalar, Any]:
        if not scalars:
            return {}
        row = self._row(f"SELECT {', '.join(one.sql for one in scalars)} FROM {DATA}")
        if row is not None:
            return dict(zip(scalars, row, strict=True))
        if len(scalars) == 1:
            return {}
        return {one: value for scalar in scalars for one, value in self._scalars([scalar]).items()}

    def _row(self, query: str) -> tuple[Any, ...] | None:
        import duckdb

        try:
            (row,) = self.connection.execute(query).fetchall()
        except duckdb.Error:
            return None
        answer: tuple[Any, ...] = row
        return answer


def _settings(folder: str) -> dict[str, Any]:
    return {
        "memory_limit": _MEMORY,
        "temp_directory": folder,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
