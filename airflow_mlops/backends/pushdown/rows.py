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
from airflow_mlops.core.values import PART_COLUMN

_MEMORY = "512MB"


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
            connection.execute(f"CREATE TEMP VIEW {DATA} AS SELECT {table.select} FROM {_file(link)}")
            yield ParquetRows(connection, link, table)
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """No error of DuckDB's leaves here: it may quote a value."""

    connection: Any
    path: Path
    table: Table

    def answers(self, questions: Iterable[Scalar | Query]) -> dict[Scalar | Query, Any]:
        """Of each question that could be answered: all scalars in one scan, unless one of them fails."""
        asked = list(dict.fromkeys(questions))
        scalars = [one for one in asked if isinstance(one, Scalar)]
        found: dict[Scalar | Query, Any] = self._scalars(scalars)
        for one in asked:
            if isinstance(one, Query) and (row := self._row(one.sql)) is not None:
                found[one] = row
        return found

    def places_at_fault(self, condition: str, most: int) -> list[int]:
        """The numbers of the first rows that meet a condition, from 0."""
        import duckdb

        source = _file(self.path, "file_row_number = true")
        numbered = f"SELECT {self.table.select}, file_row_number AS {sql.name(PART_COLUMN)} FROM {source}"
        wanted = f"SELECT {sql.name(PART_COLUMN)} FROM numbered WHERE {condition} LIMIT {most}"
        try:
            rows = self.connection.execute(f"WITH numbered AS ({numbered}) {wanted}").fetchall()
        except duckdb.Error:
            return []
        return sorted(number for (number,) in rows)

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


def _file(path: Path, *options: str) -> str:
    return f"read_parquet({', '.join([sql.text(str(path)), *options])})"
