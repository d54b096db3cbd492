"""A number with its interval against bounds: within, beyond, or not told apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Literal

from airflow_mlops.core.values import Estimate, Measurement, Outcome

DecideBy = Literal["value", "interval", "proven_harm"]
"""``value``: the point value alone. ``interval``: passes when the whole interval is within the bounds, fails
when the whole interval is beyond one, and is inconclusive in between. ``proven_harm``: fails when the whole
interval is beyond a bound, and passes otherwise, for what is looked at in many places with few rows each.
"""


def within(estimate: Estimate, minimum: float | None, maximum: float | None, decide_by: DecideBy) -> Outcome:
    """Whether an estimate holds its bounds, both included. What is no finite number fails, and an interval
    without ends proves nothing."""
    if not isfinite(estimate.value):
        return "fail"
    low = float("-inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum
    if decide_by == "value":
        return "pass" if low <= estimate.value <= high else "fail"
    if estimate.high < low or estimate.low > high:
        return "fail"
    if decide_by == "proven_harm" or (low <= estimate.low and estimate.high <= high):
        return "pass"
    return "inconclusive"


def worst_first(
    measurements: Sequence[Measurement],
    minimum: float | None,
    maximum: float | None,
    decide_by: DecideBy,
) -> tuple[Measurement, ...]:
    """Failures, then what is inconclusive, then the rest; in each the smallest corrected p-value first, and
    where those are alike the worst value."""

    def order(item: Measurement) -> tuple[int, float, float]:
        outcome = within(item.estimate, minimum, maximum, decide_by)
        p_value = 1.0 if item.p_value is None else item.p_value
        return GRAVITY[outcome], p_value, item.estimate.value if maximum is None else -item.estimate.value

    return tuple(sorted(measurements, key=order))


GRAVITY: dict[Outcome, int] = {"fail": 0, "inconclusive": 1, "pass": 2}
