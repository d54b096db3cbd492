"""What a translator asks of the data, and what it found: the words between translators and DuckDB.

A translator is a generator. It yields questions and is sent their answers, as often as it needs to; DuckDB
answers the scalar questions of all expectations that are asked at one time in a single scan.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

DATA = "data"
"""The view that holds the rows: one column of a plain type for each of the file's, NaN as NULL."""


class NotPushedDown(Exception):
    """This expectation, with these arguments and on this column, is left to Great Expectations."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One aggregate over all rows, answered by a value."""

    sql: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query of its own, answered by its only row."""

    sql: str


@dataclass(frozen=True, slots=True)
class Found:
    """What Great Expectations would have found. ``fault`` is the condition that rows at fault meet."""

    success: bool
    rows: int | None = None
    unexpected: int | None = None
    observed: float | None = None
    fault: str | None = None


Steps = Generator[Sequence[Scalar | Query], Sequence[Any], Found]
