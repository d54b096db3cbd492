"""The arguments of one expectation, read as Great Expectations reads them, or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.asking import NotPushedDown, Query, Scalar
from airflow_mlops.backends.pushdown.columns import Column, Table
from airflow_mlops.backends.pushdown.conditions import condition_sql

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EXACT = 2**53


@dataclass(slots=True)
class Arguments:
    """What an expectation was given, and the rows that it is about.

    Each reader raises ``NotPushedDown`` where the argument is of a type that Great Expectations would
    convert, refuse or fail on; ``rest_is_known`` does so for arguments that nobody has read.
    """

    kwargs: Mapping[str, Any]
    table: Table
    read: set[str] = field(default_factory=set)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return self.kwargs.get(name, default)

    def rest_is_known(self) -> None:
        self.read |= {"row_condition", "condition_parser"}
        if unknown := set(self.kwargs) - self.read:
            raise NotPushedDown(f"the argument {sorted(unknown)[0]}")

    def column(self, name: str = "column") -> Column:
        return self._column(self.get(name))

    def columns(self, name: str = "column_list") -> list[Column]:
        names = self.get(name)
        if not isinstance(names, list) or len(names) < 2:
            raise NotPushedDown(f"{name}, which is no list of columns")
        if len(set(map(repr, names))) != len(names):
            raise NotPushedDown(f"{name}, which names a column twice")
        return [self._column(one) for one in names]

    def _column(self, name: Any) -> Column:
        column = self.table.columns.get(name) if isinstance(name, str) else None
        if column is None:
            raise NotPushedDown("a column that the data do not have")
        if column.kind == "other":
            raise NotPushedDown(f"a column of {column.dtype}")
        return column

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise NotPushedDown(f"{name}, which is neither true nor false")
        return value

    def choice(self, name: str, default: str, others: tuple[str, ...]) -> str:
        value = self.get(name, default)
        if value not in (default, *others):
            raise NotPushedDown(f"{name}, which is none of Great Expectations' values")
        return str(value)

    def number(self, name: str) -> float | None:
        """A finite number, as the double that Great Expectations makes of it."""
        value = self.get(name)
        return None if value is None else finite(value, name)

    def whole(self, name: str) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise NotPushedDown(f"{name}, which is no whole number")
        return value

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise NotPushedDown(f"{name}, which is no text")
        return value

    def mostly(self) -> float:
        value = self.get("mostly", 1)
        share = finite(value, "mostly")
        if not 0 <= share <= 1:
            raise NotPushedDown("mostly, which is no share")
        return share

    def values(self, column: Column, name: str = "value_set") -> list[str]:
        """The distinct values of a list, as literals to hold against the column."""
        listed = self.get(name)
        if not isinstance(listed, list):
            raise NotPushedDown(f"{name}, which is no list")
        return list(dict.fromkeys(literal(one, column) for one in listed))

    def bound(self, name: str, column: Column) -> str | None:
        """A bound to hold against the column, as a literal."""
        value = self.get(name)
        if value is None:
            return None
        if column.kind == "time":
            return literal(value, column)
        if column.kind == "text":
            raise NotPushedDown("a bound on text")
        return sql.number(finite(value, name))

    @property
    def where(self) -> str | None:
        """The condition that the expectation's own rows meet, or None for all rows."""
        if self.kwargs.get("row_condition") is None:
            return None
        if self.kwargs.get("condition_parser") != "pandas":
            raise NotPushedDown("a row_condition without condition_parser: pandas")
        return condition_sql(self.kwargs["row_condition"], self.table)

    def count(self, *conditions: str | None) -> Scalar:
        """How many of the expectation's rows meet all conditions."""
        return Scalar(f"count(*){self._filter(*conditions)}")

    def aggregate(self, call: str, *conditions: str | None) -> Scalar:
        return Scalar(f"{call}{self._filter(*conditions)}")

    def groups(self, columns: list[Column], *conditions: str | None) -> Query:
        """Of the rows that meet the conditions: how many there are, how many distinct ones, how many of
        them stand alone."""
        rows = sql.both(self.where, *conditions)
        by = ", ".join(column.sql for column in columns)
        return Query(
            "SELECT coalesce(sum(n), 0), count(*), count(*) FILTER (WHERE n = 1) FROM "
            f"(SELECT count(*) AS n FROM data{f' WHERE {rows}' if rows else ''} GROUP BY {by})"
        )

    def _filter(self, *conditions: str | None) -> str:
        rows = sql.both(self.where, *conditions)
        return f" FILTER (WHERE {rows})" if rows else ""


def finite(value: Any, name: str) -> float:
    """A number that is one in YAML too: true is 1 to Great Expectations, and '1' as well."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotPushedDown(f"{name}, which is no finite number")
    return float(value)


def literal(value: Any, column: Column) -> str:
    """A value as what the column holds."""
    match column.kind:
        case "text" if isinstance(value, str):
            return sql.text(value)
        case "bool" if isinstance(value, bool):
            return "true" if value else "false"
        case "int" | "float" if isinstance(value, int | float) and abs(value) < _EXACT:
            return sql.number(finite(value, "a value"))
        case "time":
            return str(_microseconds(value))
    raise NotPushedDown(f"a value of another type than {column.name}")


def _microseconds(value: Any) -> int:
    """Times as text are read as on a frame: a bare date is its midnight, and no zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise NotPushedDown("a time that is not in ISO 8601") from error
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone.utc)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise NotPushedDown("a time of another type")
    past = value - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
