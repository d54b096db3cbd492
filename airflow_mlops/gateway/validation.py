"""A request's body against the model's signature: rows, or every problem with its row and field."""

from __future__ import annotations

import difflib
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_mlops.core.request_rows import NotRows, Shape, moment, row_keys, rows_of
from airflow_mlops.core.values import ColumnKind
from airflow_mlops.gateway.rows import Rows, Signature, Source

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


def parse_body(body: bytes, *, nan_is_null: bool = False) -> Any:
    """The body as JSON. Refuses NaN and Infinity, which are not JSON and would pass as numbers, and half
    characters, which JSON can write and neither an answer nor the log can hold."""

    def refuse(literal: str) -> Any:
        if nan_is_null and literal == "NaN":
            return None
        raise InvalidRequest([Problem(("body",), f"{literal} is not JSON; write null for a missing value")])

    # Decoded here: json.loads would let the bytes of a half character through.
    text = text_of(body)
    try:
        value = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InvalidRequest([Problem(("body",), f"not JSON: {error}")]) from error
    except ValueError as error:
        limit = sys.get_int_max_str_digits()
        raise InvalidRequest([Problem(("body",), f"a number of more than {limit} digits")]) from error
    except RecursionError as error:
        raise InvalidRequest([Problem(("body",), "not JSON that can be read: nested too deep")]) from error
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_characters(value)
    return value


def text_of(body: bytes) -> str:
    """The body as text. Raises ``InvalidRequest`` for one that is not UTF-8."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest([Problem(("body",), f"not JSON, nor text in UTF-8: {error}")]) from error


def _refuse_half_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise InvalidRequest(
            [Problem(("body",), f"half a character: {half} without its other half")]
        ) from error


def checked_rows(body: bytes, shape: Shape, signature: Signature, *, max_rows: int, key_base: str) -> Rows:
    """A body's rows. Raises ``InvalidRequest`` with every problem found."""
    # MLflow's own clients write a missing number as NaN; ours is told to write null.
    given = text_of(body) if shape == "csv" else parse_body(body, nan_is_null=shape == "invocations")
    try:
        rows = rows_of(given, shape, signature.columns)
    except NotRows as error:
        raise InvalidRequest([Problem(("body", *error.where), error.message)]) from error
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
    if shape != "predict":
        # As MLflow's signatures do it: what the model does not take is left aside.
        fields = signature.fields()
        rows = [{name: row[name] for name in row if name in fields} for row in rows]
    return check_rows(rows, Source(body, shape, signature, key_base))


def check_rows(rows: Sequence[Mapping[str, Any]], source: Source) -> Rows:
    """Raises ``InvalidRequest`` with every problem found, each with row and field."""
    signature = source.signature
    # Each kind of problem is found row by row, so no more of it is needed than is told.
    problems = list(islice(_unknown_fields(rows, signature), MAX_PROBLEMS))
    columns: list[Sequence[Any]] = []
    for name, kind in signature.columns.items():
        values: Sequence[Any] = [row.get(name, _MISSING) for row in rows]
        found = list(islice(_feature_problems(name, kind, values), MAX_PROBLEMS))
        problems += found or islice(_too_large(name, kind, values), MAX_PROBLEMS)
        # A missing text is an empty one, as in training; the log says so too.
        columns.append(["" if value is None else value for value in values] if kind == "text" else values)
    keys = _keys(rows, signature.key_column, source.key_base, problems)
    _check_times(rows, signature.time_column, problems)
    if problems:
        raise InvalidRequest(sorted(problems, key=lambda problem: problem.loc[2]))
    return Rows(keys, list(zip(*columns, strict=True)), source)


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


def _too_large(name: str, kind: ColumnKind, values: Sequence[Any]) -> Iterable[Problem]:
    """JSON has no infinity, but 1e999 is read as one, and a whole number may be of any size."""
    if kind != "numeric":
        return
    for number, value in enumerate(values):
        try:
            infinite = value is not None and math.isinf(value)
        except OverflowError:
            infinite = True
        if infinite:
            yield Problem(("body", "rows", number, name), "too large for a 64-bit float")


def _keys(
    rows: Sequence[Mapping[str, Any]], column: str | None, base: str, problems: list[Problem]
) -> list[str]:
    values = [None if column is None else row.get(column) for row in rows]
    for number, value in enumerate(values):
        if value is not None and (type(value) not in (str, int) or value == ""):
            where = ("body", "rows", number, str(column))
            problems.append(
                Problem(where, f"{_shown(value)} is not a key; expected a string or whole number")
            )
    return row_keys(values, base)


def _check_times(rows: Sequence[Mapping[str, Any]], column: str | None, problems: list[Problem]) -> None:
    if column is None:
        return
    for number, row in enumerate(rows):
        value = row.get(column)
        if value is not None and not is_moment(value):
            where = ("body", "rows", number, column)
            expected = "an ISO 8601 time such as 2013-04-01T06:00:00Z"
            problems.append(Problem(where, f"{_shown(value)} is not {expected}"))


def is_moment(value: Any) -> bool:
    """Whether the log could read this as a time."""
    try:
        moment(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
