"""From a metric on landed labels to a signal: has the model decayed?"""

from __future__ import annotations

from airflow_mlops.core.gates import loss
from airflow_mlops.core.metrics import Direction, direction_of
from airflow_mlops.core.values import Estimate, Verdict


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
