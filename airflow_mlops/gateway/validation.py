"""A request's body against the model's signature: columns out, or every problem with its row and field."""

from __future__ import annotations

import difflib
import json
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from airflow_mlops.core.values import ColumnKind
from airflow_mlops.gateway.rows import Rows

MAX_PROBLEMS = 100
_ACCEPTED: Mapping[ColumnKind, frozenset[type]] = {
    "numeric": frozenset({int, float, bool, type(None)}),
    "categorical": frozenset({str, int, bool, type(None)}),
    "text": frozenset({str, type(None)}),
}
_EXPECTED: Mapping[ColumnKind, str] = {
    "numeric": "a number or null",
    "categorical": "a string, whole number, boolean or null",
    "text": "a string or null",
}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request: where (``("body", "rows", 3, "temp")``) and what."""

    loc: tuple[str | int, ...]
    msg: str


class InvalidRequest(Exception):
    """The body cannot be predicted on. Carries at most ``MAX_PROBLEMS`` problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, p.loc))}: {p.msg}" for p in problems[:3]))
        self.problems = list(problems[:MAX_PROBLEMS])

    def detail(self) -> list[dict[str, Any]]:
        """The problems as the answer's ``detail``."""
        return [{"loc": list(problem.loc), "msg": problem.msg} for problem in self.problems]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a row may hold: every feature is required (null is a missing value), key and time are not."""

    columns: Mapping[str, ColumnKind]
    key_column: str | None = None
    time_column: str | None = None

    def fields(self) -> set[str]:
        """Every field name a row may have."""
        return {*self.columns, *(name for name in (self.key_column, self.time_column) if name)}


def parse_body(body: bytes) -> Any:
    """The body as JSON. Refuses NaN and Infinity, which are not JSON and would pass as numbers, and half
    characters, which JSON can write and neither an answer nor the log can hold."""

    def refuse(literal: str) -> Any:
        raise InvalidRequest([Problem(("body",), f"{literal} is not JSON; write null for a missing value")])

    try:
        # Decoded here: json.loads would let the bytes of a half character through.
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=refuse)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidRequest([Problem(("body",), f"not JSON: {error}")]) from error
    except ValueError as error:
        limit = sys.get_int_max_str_digits()
        raise InvalidRequest([Problem(("body",), f"a number of more than {limit} digits")]) from error
    except RecursionError as error:
        raise InvalidRequest([Problem(("body",), "not JSON that can be read: nested too deep")]) from error
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_characters(value)
    return value


def _refuse_half_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise InvalidRequest(
            [Problem(("body",), f"half a character: {half} without its other half")]
        ) from error


def rows_of(body: Any, *, max_rows: int) -> list[dict[str, Any]]:
    """The rows of ``{"rows": [{...}, ...]}``, shape checked and values not yet."""
    if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
        raise InvalidRequest([Problem(("body",), 'expected an object {"rows": [{...}, ...]}')])
    if unknown := sorted(body.keys() - {"rows"}):
        raise InvalidRequest(
            [Problem(("body", name), "unknown field; expected only 'rows'") for name in unknown]
        )
    rows: list[Any] = body["rows"]
    if not rows:
        raise InvalidRequest([Problem(("body", "rows"), "no rows; send at least one")])
    if len(rows) > max_rows:
        raise InvalidRequest(
            [Problem(("body", "rows"), f"{len(rows)} rows; send at most {max_rows} in one request")]
        )
    if set(map(type, rows)) != {dict}:
        raise InvalidRequest(
            [
                Problem(("body", "rows", number), "expected an object of feature names and values")
                for number, row in enumerate(rows)
                if not isinstance(row, dict)
            ]
        )
    return rows


def check_rows(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Rows:
    """Rows as columns. Raises ``InvalidRequest`` with every problem found, each with row and field."""
    # Each kind of problem is found row by row, so no more of it is needed than is told.
    problems = list(islice(_unknown_fields(rows, signature), MAX_PROBLEMS))
    columns = {}
    for name, kind in signature.columns.items():
        values = [row.get(name, _MISSING) for row in rows]
        problems += islice(_feature_problems(name, kind, values), MAX_PROBLEMS)
        if not problems:
            columns[name] = _array(name, kind, values, problems)
    keys = _keys(rows, signature.key_column, problems)
    times = _times(rows, signature.time_column, problems)
    if problems:
        raise InvalidRequest(sorted(problems, key=lambda problem: problem.loc[2]))
    return Rows(keys, times, columns)


def _unknown_fields(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Iterable[Problem]:
    allowed = signature.fields()
    for number, row in enumerate(rows):
        if allowed.issuperset(row):
            continue
        for name in row:
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "; the model does not take it"
                yield Problem(("body", "rows", number, name), f"unknown field{hint}")


def _feature_problems(name: str, kind: ColumnKind, values: Sequence[Any]) -> Iterable[Problem]:
    accepted, expected = _ACCEPTED[kind], _EXPECTED[kind]
    # The types of a whole column in one pass of C; the slow walk is only for a column at fault.
    if accepted.issuperset(map(type, values)):
        return
    for number, value in enumerate(values):
        if value is _MISSING:
            yield Problem(("body", "rows", number, name), f"missing; expected {expected}")
        elif type(value) not in accepted:
            yield Problem(("body", "rows", number, name), f"{_shown(value)} is not {expected}")


def _array(name: str, kind: ColumnKind, values: Sequence[Any], problems: list[Problem]) -> Any:
    import numpy as np

    if kind != "numeric":
        array = np.empty(len(values), dtype=object)
        # A missing text is an empty one, as in training; the log says so too.
        array[:] = ["" if value is None else value for value in values] if kind == "text" else values
        return array
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        numbers = np.array([_float(value) for value in values], dtype=np.float64)
    # JSON has no infinity, but 1e999 is read as one.
    for number in np.flatnonzero(np.isinf(numbers)):
        problems.append(Problem(("body", "rows", int(number), name), "too large for a 64-bit float"))
    return numbers


def _float(value: Any) -> float:
    try:
        return float("nan") if value is None else float(value)
    except OverflowError:
        return float("inf")


def _keys(rows: Sequence[Mapping[str, Any]], column: str | None, problems: list[Problem]) -> list[str]:
    keys = []
    for number, row in enumerate(rows):
        value = None if column is None else row.get(column)
        if value is None:
            keys.append(str(uuid.uuid4()))
        elif type(value) in (str, int) and value != "":
            keys.append(str(value))
        else:
            where = ("body", "rows", number, str(column))
            problems.append(
                Problem(where, f"{_shown(value)} is not a key; expected a string or whole number")
            )
    return keys


def _times(
    rows: Sequence[Mapping[str, Any]], column: str | None, problems: list[Problem]
) -> list[datetime | None]:
    times: list[datetime | None] = []
    for number, row in enumerate(rows):
        value = None if column is None else row.get(column)
        moment = None
        if value is not None:
            try:
                moment = _moment(value)
            except (TypeError, ValueError, OverflowError):
                where = ("body", "rows", number, str(column))
                expected = "an ISO 8601 time such as 2013-04-01T06:00:00Z"
                problems.append(Problem(where, f"{_shown(value)} is not {expected}"))
        times.append(moment)
    return times


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
