"""Rows as JSON has them, for a server on the other side of a wire."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def plain_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each row with plain values."""
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers of numpy and pandas, times, and every kind of missing as null."""
    if hasattr(value, "item"):
        value = value.item()
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float)):
        return None if value == "NaT" else value
    return None if str(value) in ("<NA>", "NaT") else str(value)
