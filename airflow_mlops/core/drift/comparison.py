"""What a comparison of two sets of rows found: how far each column moved, overall and in each slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_mlops.core.gates.multiple import corrected
from airflow_mlops.core.values import ColumnDrift


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is known of a column beside how far it moved: shares of rows, 0 to 1, and counts; no values.

    ``new_share`` is of the rows whose category the reference does not know, ``new_categories`` counts these
    categories; both are None for numbers, and where the reference has more categories than are kept.
    """

    column: str
    missing: float
    reference_missing: float
    new_share: float | None = None
    new_categories: int | None = None


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """A slice's part of the rows, now and in the reference, 0 to 1."""

    slice: str
    rows: int
    share: float
    reference_share: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All looks of a comparison, p-values corrected. ``columns`` has one of each column over all rows, that
    which moved most; ``in_slices`` has those of the slices. ``newest`` is the latest event time."""

    rows: int
    reference_rows: int
    columns: tuple[ColumnDrift, ...]
    in_slices: tuple[ColumnDrift, ...] = ()
    facts: tuple[ColumnFacts, ...] = ()
    slices: tuple[SliceFacts, ...] = ()
    newest: datetime | None = None


def held_to_rate(looks: Sequence[ColumnDrift], rate: float) -> tuple[ColumnDrift, ...]:
    """The same looks with p-values corrected so that of those called drifted at most ``rate`` are expected to
    be alike (Benjamini and Hochberg 1995). A look without a p-value was settled without a test."""
    tested = [index for index, look in enumerate(looks) if look.p_value is not None]
    values = corrected([looks[index].p_value or 0.0 for index in tested], "benjamini_hochberg")
    found = list(looks)
    for index, p_value in zip(tested, values, strict=True):
        found[index] = replace(looks[index], p_value=p_value, false_discovery_rate=rate)
    return tuple(found)


def worst_of_each(looks: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
    """Of the looks at a column in a slice the one that says most: a drifted one before others, then the
    highest score for its threshold. Where none has drifted it is the first."""
    found: dict[tuple[str, str], ColumnDrift] = {}
    for look in looks:
        key = (look.slice, look.column)
        if key not in found or _says(look) > _says(found[key]):
            found[key] = look
    return tuple(found.values())


def _says(look: ColumnDrift) -> tuple[bool, float]:
    return look.drifted, look.times if look.drifted else 0.0
