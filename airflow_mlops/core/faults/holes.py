"""Missing values: a column that lost its values, and a join that found nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

from airflow_mlops.core.faults.fault import Fault
from airflow_mlops.core.faults.summary import FEWEST_ROWS, ColumnSummary, Reference, TableSummary

RISE = 0.2
LOGIT_RISE = 2.0
"""By how much the share of missing values must have risen: by points, and by its log-odds. Sensors lose a
few readings in a bad month (air pressure 5 % to 19 %, which is 1.5); a feed that broke loses most."""
TOGETHER = 0.08
"""The share of rows that lack the same columns; a join that lost a few rows is none of it."""
LOOSELY = 0.05


def null_fault(column: ColumnSummary, normal: Sequence[ColumnSummary]) -> Fault | None:
    """All values missing, or far more than in any stretch of the reference."""
    before = max(one.null_share for one in normal)
    rise = column.null_share - before
    if rise < RISE or _logit(column) - max(map(_logit, normal)) < LOGIT_RISE:
        return None
    return Fault((column.name,), "null", _said(column.null_share, before))


def joins_lost(reference: Reference, window: TableSummary) -> Iterator[Fault]:
    """Three or more columns (two, where that is most rows) that are missing in the same rows."""
    candidates = {
        name
        for name, column in window.columns.items()
        if column.rows >= FEWEST_ROWS
        and (normal := reference.of(name))
        and column.null_share - max(one.null_share for one in normal) >= LOOSELY
    }
    columns = _closest(window, candidates)
    if len(columns) < 2:
        return
    share = _share(window, columns)
    before = max(_share(table, columns) for table in (reference.whole, *reference.blocks))
    enough = TOGETHER if len(columns) > 2 else RISE
    if share - before >= enough and share >= 5 * before:
        said = f"{_percent(share)} of the rows lack all of them, {_percent(before)} at most before"
        yield Fault(columns, "join_lost", said)


def _closest(window: TableSummary, candidates: set[str]) -> tuple[str, ...]:
    """The candidates that are missing together in the most common such rows."""
    patterns: dict[tuple[str, ...], int] = {}
    for missing, rows in window.missing_together:
        ours = tuple(name for name in window.columns if name in candidates and name in missing)
        patterns[ours] = patterns.get(ours, 0) + rows
    several = [(rows * (len(names) - 1), names) for names, rows in patterns.items() if len(names) > 1]
    return max(several, default=(0, ()))[1]


def _share(table: TableSummary, columns: Sequence[str]) -> float:
    found = sum(rows for missing, rows in table.missing_together if set(columns) <= set(missing))
    return found / table.rows if table.rows else 0.0


def _logit(column: ColumnSummary) -> float:
    """Log-odds of a missing value, with half a row on either side (Haldane 1956)."""
    return log((column.nulls + 0.5) / (column.there + 0.5))


def _said(share: float, before: float) -> str:
    return f"{_percent(share)} of the values are missing, {_percent(before)} at most before"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
