"""What a conversion says at its end, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlops.cli.convert.draft import Draft, Left
from airflow_mlops.cli.convert.reading import Place
from airflow_mlops.cli.convert.writing import Written, printable


@dataclass(frozen=True, slots=True)
class Conversion:
    """One model that was written: its draft, and the text with the places of what is to be filled in."""

    draft: Draft
    path: Path
    written: Written


@dataclass(frozen=True, slots=True)
class Report:
    """All models of one source; ``skipped`` are parts of it that describe no model."""

    source: Path
    kind: str
    models: Sequence[Conversion]
    skipped: Sequence[Left]


def as_text(report: Report) -> str:
    """Source line to our key, what was left and why, and what to fill in where."""
    parts = [list(_model(one)) for one in report.models]
    if report.skipped:
        parts.append(["Passed over", *_left(report.skipped)])
    return "\n\n".join("\n".join(map(_clean, lines)) for lines in parts)


def _model(one: Conversion) -> Iterator[str]:
    yield f"wrote {one.path}, begun from {one.draft.origin}"
    if one.draft.carried:
        yield "Carried over"
        for carried in one.draft.carried:
            note = f" ({carried.note})" if carried.note else ""
            yield f"  {carried.place} {carried.what} -> {carried.key}: {_value(carried.value)}{note}"
    if one.draft.left:
        yield "Not carried over"
        yield from _left(one.draft.left)
    if one.draft.blanks:
        yield f"To fill in (airflow-mlops lint {one.path} names these lines)"
        for key, line in one.written.blanks.items():
            yield f"  {one.path}:{line} {key}: {one.draft.blanks[key]}"


def _left(left: Sequence[Left]) -> Iterator[str]:
    yield from (f"  {one.place} {one.what}: {one.why}" for one in left)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clean(line: str) -> str:
    """Text of the source can neither begin a line of the report nor steer the terminal."""
    return " " * (len(line) - len(line.lstrip(" "))) + printable(line)


def as_json(report: Report) -> str:
    """``line`` counts from 1; ``file`` is the model's under ``to_fill_in``, else the source's."""
    told = {
        "source": str(report.source),
        "kind": report.kind,
        "models": [_told(one) for one in report.models],
        "passed_over": [_told_left(one) for one in report.skipped],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _told(one: Conversion) -> dict[str, Any]:
    return {
        "model": one.draft.name,
        "file": str(one.path),
        "carried": [
            {**_at(own.place), "what": own.what, "key": own.key, "value": own.value, "note": own.note}
            for own in one.draft.carried
        ],
        "not_carried": [_told_left(left) for left in one.draft.left],
        "to_fill_in": [
            {"file": str(one.path), "line": line, "key": key, "wanted": one.draft.blanks[key]}
            for key, line in one.written.blanks.items()
        ],
    }


def _told_left(left: Left) -> dict[str, Any]:
    return {**_at(left.place), "what": left.what, "why": left.why}


def _at(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


FORMATS: Mapping[str, Callable[[Report], str]] = {"text": as_text, "json": as_json}
