"""The bodies that a model server takes, as one object of names and values a row. Pure: parsed elsewhere.

Both sides read here: the server, before it checks and predicts, and the inference log, when it turns the
bodies that were kept as they came into columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from airflow_mlops.core.values import ColumnKind

Shape = Literal["predict", "invocations", "csv"]
"""``predict`` is ``{"rows": [{...}]}``; the others are what MLflow's scoring server takes as JSON and CSV."""

INVOCATIONS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class NotRows(ValueError):
    """A body of another shape. ``where`` is the path to the place at fault."""

    def __init__(self, where: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.where = tuple(where)
        self.message = message


def rows_of(body: Any, shape: Shape, columns: Mapping[str, ColumnKind]) -> list[Any]:
    """One object a row, not checked any further (a row of ``predict`` may be anything). ``body`` is parsed
    JSON, or the text of a CSV. Raises ``NotRows``.
    """
    match shape:
        case "predict":
            return _predict_rows(body)
        case "invocations":
            return _invocation_rows(body, columns)
        case "csv":
            return _csv_rows(body, columns)


def row_keys(values: Iterable[Any], base: str) -> list[str]:
    """Each row's key: its own, or for a row without one the base with the row's number."""
    return [f"{base}-{number}" if value is None else str(value) for number, value in enumerate(values)]


def moment(text: str) -> datetime:
    """An ISO 8601 time in UTC, which is also what one without a zone is taken for."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found.astimezone(timezone.utc)


def _predict_rows(body: Any) -> list[Any]:
    if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
        raise NotRows((), 'expected an object {"rows": [{...}, ...]}')
    if unknown := sorted(body.keys() - {"rows"}):
        raise NotRows((unknown[0],), "unknown field; expected only 'rows'")
    rows: list[Any] = body["rows"]
    return rows


def _invocation_rows(body: Any, columns: Mapping[str, ColumnKind]) -> list[dict[str, Any]]:
    """What MLflow takes: ``params`` beside the rows are left aside, as its server does with a model whose
    signature has none."""
    given = [name for name in INVOCATIONS if name in body] if isinstance(body, dict) else []
    if len(given) != 1:
        raise NotRows((), f"expected an object with one of {', '.join(INVOCATIONS)}")
    (name,) = given
    value = body[name]
    if name == "dataframe_split":
        return _split(value, columns)
    if isinstance(value, dict):
        return _column_wise(name, value)
    if not isinstance(value, list):
        raise NotRows((name,), "expected a list of rows")
    if value and not isinstance(value[0], dict):
        return [_positional((name, number), row, list(columns)) for number, row in enumerate(value)]
    return value


def _split(value: Any, columns: Mapping[str, ColumnKind]) -> list[dict[str, Any]]:
    where = "dataframe_split"
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise NotRows((where,), 'expected an object {"columns": [...], "data": [[...], ...]}')
    names = value.get("columns", list(columns))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NotRows((where, "columns"), "expected a list of names")
    if len(set(names)) != len(names):
        raise NotRows((where, "columns"), "a name is there twice")
    return [_positional((where, "data", number), row, names) for number, row in enumerate(value["data"])]


def _positional(where: tuple[str | int, ...], row: Any, names: list[str]) -> dict[str, Any]:
    if not isinstance(row, list) or len(row) != len(names):
        raise NotRows(where, f"expected a list of {len(names)} values: {', '.join(names)}")
    return dict(zip(names, row, strict=True))


def _column_wise(where: str, value: dict[str, Any]) -> list[dict[str, Any]]:
    lists = {name: one if isinstance(one, list) else [one] for name, one in value.items()}
    lengths = {len(one) for one in lists.values()}
    if len(lengths) > 1:
        raise NotRows((where,), f"the columns have different lengths: {sorted(lengths)}")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _csv_rows(text: str, columns: Mapping[str, ColumnKind]) -> list[dict[str, Any]]:
    """The first line names the columns; an empty field is a missing value."""
    lines = [line for line in csv.reader(text.splitlines(keepends=True)) if line]
    if not lines:
        raise NotRows((), "expected a line of names and one line a row")
    names = lines[0]
    if len(set(names)) != len(names):
        raise NotRows((0,), "a name is there twice")
    rows = []
    for number, line in enumerate(lines[1:]):
        row = _positional((number,), line, names)
        rows.append({name: _field(text, columns.get(name)) for name, text in row.items()})
    return rows


def _field(text: str, kind: ColumnKind | None) -> Any:
    """A field as JSON would have it; a text that is no number stays one, to be refused with the others."""
    if text == "":
        return "" if kind == "text" else None
    if kind == "numeric":
        try:
            return float(text)
        except ValueError:
            return {"true": True, "false": False}.get(text.lower(), text)
    return text
