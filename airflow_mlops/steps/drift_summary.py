"""What travels of a comparison: scores, shares and names of columns and slices; no values of any row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_mlops.core.drift import Comparison, DriftVerdict
from airflow_mlops.core.values import ColumnDrift

_MOST_COLUMNS = 20
_MOST_SLICES = 10


def summary_of(verdict: DriftVerdict, found: Comparison) -> dict[str, Any]:
    """The report's summary. ``columns`` are those that moved most, by their score; ``looks`` says how each
    was looked at; ``slices`` are those that moved most."""
    worst = _worst_first(found.columns)[:_MOST_COLUMNS]
    return {
        "drifted": verdict.drifted,
        "share": verdict.share,
        "reasons": [*verdict.reasons, *_slice_reasons(found)],
        "columns": {look.column: look.score for look in worst},
        "looks": {look.column: _shown(look) for look in worst},
        "slices": list(_slices(found)),
        "missing": {
            one.column: [one.reference_missing, one.missing]
            for one in found.facts
            if one.missing or one.reference_missing
        },
        "new_categories": {
            one.column: {"share": one.new_share, "categories": one.new_categories}
            for one in found.facts
            if one.new_categories
        },
        "rows": found.rows,
        "reference_rows": found.reference_rows,
    }


def _shown(look: ColumnDrift) -> dict[str, Any]:
    return {
        "method": look.method,
        "score": look.score,
        "threshold": look.threshold,
        "p_value": look.p_value,
        "drifted": look.drifted,
    }


def _slices(found: Comparison) -> Iterator[dict[str, Any]]:
    """The slices in which something drifted, the one with the largest part of its columns first."""
    looks: dict[str, list[ColumnDrift]] = defaultdict(list)
    for look in found.in_slices:
        looks[look.slice].append(look)
    told = []
    for one in found.slices:
        moved = [look for look in looks[one.slice] if look.drifted]
        if moved:
            worst = _worst_first(moved)
            told.append((len(moved) / len(looks[one.slice]), worst[0].times, one, worst))
    for share, _, one, worst in sorted(told, key=lambda item: (-item[0], -item[1]))[:_MOST_SLICES]:
        yield {
            "slice": one.slice,
            "share": share,
            "columns": {look.column: look.score for look in worst[:_MOST_COLUMNS]},
            "rows": one.rows,
            "rows_share": one.share,
            "reference_rows_share": one.reference_share,
        }


def _slice_reasons(found: Comparison) -> Iterator[str]:
    told = list(_slices(found))[:3]
    for one in told:
        named = ", ".join(list(one["columns"])[:3])
        yield f"in {one['slice']}: {100 * one['share']:.3g} % of the columns drifted, most of all {named}"


def _worst_first(looks: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    return sorted(looks, key=lambda look: (not look.drifted, -look.times, look.column))
