"""From scores to a signal: have the inputs drifted?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlops.core.values import ColumnDrift

COLUMNS_NAMED = 20
"""How many drifted columns the reasons name; the report has them all."""


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """``share`` is the drifted part of the columns, 0 to 1; ``columns`` are their names, worst first."""

    drifted: bool
    share: float
    columns: tuple[str, ...]
    reasons: tuple[str, ...]


def drift_verdict(columns: Sequence[ColumnDrift], share: float) -> DriftVerdict:
    """The data have drifted when at least ``share`` (0 to 1) of the columns have, and at least one.

    Worst is the highest score for its threshold. A signal only: the retraining policy decides what
    follows. Raises ``ValueError`` for no columns: nothing compared is not nothing moved.
    """
    if not columns:
        raise ValueError("no column was compared, so nothing can be said about drift")
    moved = sorted((column for column in columns if column.drifted), key=_severity)
    found = len(moved) / len(columns)
    drifted = bool(moved) and found >= share
    side = "at or above" if found >= share else "below"
    summary = f"{len(moved)} of {len(columns)} columns drifted ({100 * found:.3g} %), {side} the limit"
    named = [str(column) for column in moved[:COLUMNS_NAMED]]
    if len(moved) > COLUMNS_NAMED:
        named.append(f"and {len(moved) - COLUMNS_NAMED} more columns")
    return DriftVerdict(
        drifted=drifted,
        share=found,
        columns=tuple(column.column for column in moved),
        reasons=(f"{summary} {100 * share:.3g} %", *named),
    )


def _severity(column: ColumnDrift) -> tuple[float, str]:
    return -column.times, column.column
