"""A result in a few lines for the task's log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_LIST = 20


def summary(result: Mapping[str, Any]) -> list[str]:
    """One ``name: value`` line per fact, one dash per reason; what is empty is left out."""
    return list(_lines(result, ""))


def _lines(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if value in (None, "", [], {}):
            continue
        match value:
            case {"value": float(point), "low": float(low), "high": float(high)}:
                yield f"{name}: {point:.4f} ({low:.4f} to {high:.4f})"
            case {"start": str(start), "end": str(end)}:
                yield f"{name}: {start} to {end}"
            case float():
                yield f"{name}: {value:.6g}"
            case dict():
                yield from _lines(value, f"{name}.")
            case [{"rule": str()}, *_]:  # what gates measured, by the dozen: the numbers are in the report
                yield f"{name}: {', '.join(item['rule'] for item in value)}"
            case list():
                yield f"{name}:"
                yield from (f"  - {item}" for item in value[:_LONGEST_LIST])
                if len(value) > _LONGEST_LIST:
                    yield f"  - and {len(value) - _LONGEST_LIST} more"
            case _:
                yield f"{name}: {value}"
