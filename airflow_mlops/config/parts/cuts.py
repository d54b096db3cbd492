"""Ways to cut rows into groups, as a YAML spells them: a column, several, or crossed columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from airflow_mlops.config.parts.base import Column, Mistakes, Part
from airflow_mlops.config.problems import KeyPath

MOST_CROSSED = 3
_COLUMN = {"type": "string", "minLength": 1, "maxLength": 128}
_CROSSED = {"type": "array", "items": _COLUMN, "minItems": 1, "maxItems": MOST_CROSSED}


def _spelled_out(value: Any) -> Any:
    """A list of lists of columns. All that is wrong is said here, in the file's own words."""
    if found := list(_mistakes(value)):
        raise Mistakes(*found)
    entries = [value] if isinstance(value, str) else value
    return tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in entries)


def _mistakes(value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        return
    if not isinstance(value, list | tuple):
        yield (), f"must be a column, or a list of columns, not {value!r}"
        return
    for index, entry in enumerate(value):
        if isinstance(entry, str):
            continue
        if not isinstance(entry, list | tuple) or not all(isinstance(name, str) for name in entry):
            yield (index,), f"must be a column, or a list of columns to cross, not {entry!r}"
        elif not 1 <= len(entry) <= MOST_CROSSED or len(set(entry)) < len(entry):
            yield (index,), f"crosses one to {MOST_CROSSED} columns, each once"


Cuts = Annotated[
    tuple[tuple[Column, ...], ...],
    BeforeValidator(_spelled_out),
    WithJsonSchema(
        {"anyOf": [_COLUMN, {"type": "array", "items": {"anyOf": [_COLUMN, _CROSSED]}}]},
    ),
]
Edges = Annotated[tuple[float, ...], Field(strict=False, min_length=1, max_length=50)]


class Groups(Part):
    """How the values of a column become groups."""

    bins: int = Field(
        4, ge=2, le=50, description="A numeric column is cut into so many parts with equally many rows."
    )
    edges: dict[Column, Edges] = Field(
        default_factory=dict,
        description="Where to cut a numeric column instead; a value on an edge belongs to the part above it.",
    )
    minimum_rows: int = Field(50, ge=10, description="Smaller groups are named and left out.")
