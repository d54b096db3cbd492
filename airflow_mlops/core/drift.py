"""From scores to signals: have the inputs drifted, and has the model decayed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlops.core.gates import loss
from airflow_mlops.core.metrics import Direction, direction_of
from airflow_mlops.core.values import ColumnDrift, Estimate, Verdict

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
    named = [
        f"{column.column}: {column.method} {column.score:.4f}, threshold {column.threshold:.4f}"
        for column in moved[:COLUMNS_NAMED]
    ]
    if len(moved) > COLUMNS_NAMED:
        named.append(f"and {len(moved) - COLUMNS_NAMED} more columns")
    return DriftVerdict(
        drifted=drifted,
        share=found,
        columns=tuple(column.column for column in moved),
        reasons=(f"{summary} {100 * share:.3g} %", *named),
    )


def decay_verdict(
    metric: str,
    observed: Estimate,
    promise: Estimate,
    *,
    tolerance: float,
    labels: int,
    minimum_labels: int,
    direction: Direction | None = None,
) -> Verdict:
    """Is the metric on landed labels worse than promised at promotion by more than ``tolerance``?

    Fail means decayed for sure: the whole interval of ``observed`` lies beyond the tolerance.
    Inconclusive: only the point does, or there are fewer than ``minimum_labels``. The promise is taken
    at its point value; its own interval is not weighed, the tolerance stands for it.

    ``direction`` is that of a metric of somebody's own. Raises ``ValueError`` where it is unknown.
    """
    gap = Estimate(
        observed.value - promise.value, observed.low - promise.value, observed.high - promise.value
    )
    better = direction_of(metric, direction)
    lost = loss(metric, gap, better)
    if labels < minimum_labels:
        return Verdict("inconclusive", (f"{labels} of {minimum_labels} labels have landed",))
    limit = promise.value + (-tolerance if better == "higher" else tolerance)
    fact = f"{metric} {observed} on {labels} labels; {promise.value:z.4f} was promised"
    beyond = f"the limit {limit:z.4f} (tolerance {tolerance:.4f})"
    if lost.low > tolerance:
        return Verdict("fail", (f"{fact}, and all of the interval is worse than {beyond}",))
    if lost.value > tolerance:
        return Verdict("inconclusive", (f"{fact}; worse than {beyond}, but the interval reaches it",))
    return Verdict("pass", (f"{fact}; no worse than {beyond}",))


def _severity(column: ColumnDrift) -> tuple[float, str]:
    times = column.score / column.threshold if column.threshold > 0 else column.score
    return -times, column.column
