"""A number between two bounds, each of which may be absent, or strict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found
from airflow_mlops.backends.pushdown.columns import Column


@dataclass(frozen=True, slots=True)
class Limits:
    """``min_value`` and ``max_value`` of an expectation about one number. A column that ``is_narrow`` has
    32-bit floats, which numpy compares as such."""

    low: float | None
    high: float | None
    strict_min: bool = False
    strict_max: bool = False
    is_narrow: bool = False

    def hold(self, value: float) -> bool:
        above = self.low is None or (value > self.low if self.strict_min else value >= self.low)
        below = self.high is None or (value < self.high if self.strict_max else value <= self.high)
        return above and below

    def found(self, value: Any) -> Found:
        """A number that there is none of lies outside."""
        if value is None or math.isnan(value):
            return Found(success=False)
        if self.is_narrow:
            return Found(success=_narrow(self).hold(_narrowed(value)), observed=float(value))
        return Found(success=self.hold(value), observed=float(value))


def limits_of(args: Arguments, *, whole: bool = False) -> Limits:
    """The bounds are the last arguments that are read: no other may be left over."""
    low, high = ((args.whole if whole else args.number)(name) for name in ("min_value", "max_value"))
    return _limits(args, low, high)


def limits_on(args: Arguments, column: Column) -> Limits:
    """Bounds to hold against values of a column, which may be times."""
    if column.kind != "time":
        return replace(limits_of(args), is_narrow=column.dtype == "float32")
    low, high = (args.bound(name, column) for name in ("min_value", "max_value"))
    return _limits(args, None if low is None else int(low), None if high is None else int(high))


def _limits(args: Arguments, low: float | None, high: float | None) -> Limits:
    limits = Limits(low, high, args.flag("strict_min"), args.flag("strict_max"))
    args.rest_is_known()
    return limits


def _narrow(limits: Limits) -> Limits:
    low, high = (None if one is None else _narrowed(one) for one in (limits.low, limits.high))
    return replace(limits, low=low, high=high)


def _narrowed(value: float) -> float:
    import numpy as np

    with np.errstate(over="ignore"):
        return float(np.float32(value))
