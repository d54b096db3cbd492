"""The columns of a Parquet file, as a pandas frame of it would have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from airflow_mlops.core.values import PART_COLUMN

Kind = Literal["int", "float", "bool", "text", "time", "other"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``kind`` is what the view gives out: ``time`` is whole microseconds since 1970.

    ``dtype`` is pandas' name for it: whole numbers with nulls among them are ``float64`` there, truth values
    with nulls ``object``. In SQL it goes by its place: DuckDB takes names that differ in case alone for one.
    """

    place: int
    name: str
    kind: Kind
    dtype: str
    has_nulls: bool = True

    @property
    def present(self) -> str | None:
        """The condition that a value is there; None where all are. A footer does not count NaN."""
        return f"{self.sql} IS NOT NULL" if self.has_nulls or self.kind == "float" else None

    @property
    def sql(self) -> str:
        return _at(self.place)

    @property
    def as_text(self) -> str:
        """For people to read."""
        return f"CAST({f'make_timestamp({self.sql})' if self.kind == 'time' else self.sql} AS VARCHAR)"

    @property
    def is_number(self) -> bool:
        return self.kind in ("int", "float")


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet file's rows and columns, from its footer alone, and the view's definition: what it gives out,
    and what the file's own columns are called there."""

    rows: int
    columns: Mapping[str, Column]
    select: str
    places: str


def read_table(path: Path) -> Table:
    """From the footer. A snapshot's own column of parts is no column of the user's."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    with file:
        schema, metadata = file.schema_arrow, file.metadata
        nulls, columns, selected = _with_nulls(metadata), {}, []
        for place, field in enumerate(schema):
            if field.name == PART_COLUMN:
                continue
            column, value = _column(place, field, has_nulls=field.name in nulls)
            columns[field.name] = column
            selected.append(f"{value} AS {column.sql}")
        places = ", ".join(map(_at, range(len(schema))))
        return Table(metadata.num_rows, columns, ", ".join(selected) or "1 AS one", places)


def _at(place: int) -> str:
    return f'"column {place}"'


def _with_nulls(metadata: Any) -> set[str]:
    """The columns that have nulls, or may have some: pandas gives them another type then. Every file of ours
    tells."""
    found = set()
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            told = chunk.statistics
            silent = told is None or not told.has_null_count
            if group.num_rows and (silent or told.null_count):
                found.add(chunk.path_in_schema)
    return found


def _column(place: int, field: Any, *, has_nulls: bool) -> tuple[Column, str]:
    import pyarrow as pa

    name, type_, quoted = field.name, field.type, _at(place)
    if pa.types.is_integer(type_):
        if has_nulls:
            return Column(place, name, "float", "float64"), f"CAST({quoted} AS DOUBLE)"
        return Column(place, name, "int", str(type_), has_nulls), quoted
    if pa.types.is_float32(type_) or pa.types.is_float64(type_):
        dtype = "float32" if pa.types.is_float32(type_) else "float64"
        return Column(place, name, "float", dtype), f"nullif(CAST({quoted} AS DOUBLE), CAST('nan' AS DOUBLE))"
    if pa.types.is_boolean(type_):
        return Column(place, name, "bool", "object" if has_nulls else "bool", has_nulls), quoted
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return Column(place, name, "text", "str", has_nulls), quoted
    if pa.types.is_dictionary(type_) and pa.types.is_string(type_.value_type):
        return Column(place, name, "text", "category", has_nulls), quoted
    if pa.types.is_timestamp(type_) and (type_.unit, type_.tz) == ("us", "UTC"):
        return Column(place, name, "time", "datetime64[us, UTC]", has_nulls), f"epoch_us({quoted})"
    return Column(place, name, "other", str(type_)), quoted
