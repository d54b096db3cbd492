"""The median and other quantiles: values at places of the ordered column, found exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from airflow_mlops.backends.pushdown.aggregates import numbers
from airflow_mlops.backends.pushdown.arguments import Arguments, finite
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Query, Scalar, Steps
from airflow_mlops.backends.pushdown.columns import Column
from airflow_mlops.backends.pushdown.limits import limits_on

Place = tuple[int, int, float]
"""Two places of the ordered values, from 0, and how far from the first to the second a quantile lies."""


def median(args: Arguments) -> Steps:
    column = numbers(args)
    limits = limits_on(args, column)
    (count,) = yield [_count(args, column)]
    if not count:
        return limits.found(None)
    low, high = yield from _ordered(args, column, count, [(count - 1) // 2, count // 2])
    return limits.found(low if low == high else (low + high) / 2)


def quantiles(args: Arguments) -> Steps:
    """Great Expectations takes the nearest value unless told otherwise, and lets a bound be missed by a
    ten-thousandth of it."""
    column, (shares, ranges) = numbers(args), _ranges(args)
    way = args.get("allow_relative_error", False) or "nearest"
    if way not in _WAYS:
        raise NotPushedDown("allow_relative_error, which is no way to choose a value")
    args.rest_is_known()
    (count,) = yield [_count(args, column)]
    if not count:
        return Found(success=False)
    places = [_WAYS[way]((count - 1) * share) for share in shares]
    ends = [end for low, high, _ in places for end in (low, high)]
    values = yield from _ordered(args, column, count, ends)
    pairs = zip(values[::2], values[1::2], places, strict=True)
    found = [low if low == high else low + (high - low) * weight for low, high, (*_, weight) in pairs]
    return Found(success=all(_inside(value, *range_) for value, range_ in zip(found, ranges, strict=True)))


def _nearest(place: float) -> Place:
    return round(place), round(place), 0.0


def _lower(place: float) -> Place:
    return math.floor(place), math.floor(place), 0.0


def _higher(place: float) -> Place:
    return math.ceil(place), math.ceil(place), 0.0


def _midpoint(place: float) -> Place:
    return math.floor(place), math.ceil(place), 0.5


def _linear(place: float) -> Place:
    return math.floor(place), math.ceil(place), place - math.floor(place)


_WAYS: Mapping[str, Callable[[float], Place]] = {
    "nearest": _nearest,
    "lower": _lower,
    "higher": _higher,
    "midpoint": _midpoint,
    "linear": _linear,
}
"""As ``numpy.quantile`` calls them."""


def _ranges(args: Arguments) -> tuple[list[float], list[tuple[float, float]]]:
    given = args.get("quantile_ranges")
    if not isinstance(given, dict) or set(given) != {"quantiles", "value_ranges"}:
        raise NotPushedDown("quantile_ranges of another form")
    shares, ranges = given["quantiles"], given["value_ranges"]
    if not isinstance(shares, list) or not isinstance(ranges, list) or not len(shares) == len(ranges) > 0:
        raise NotPushedDown("quantiles and ranges that do not fit together")
    return [_share(one) for one in shares], [_range(one) for one in ranges]


def _share(value: Any) -> float:
    share = finite(value, "a quantile")
    if not 0 <= share <= 1:
        raise NotPushedDown("a quantile that is no share")
    return share


def _range(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise NotPushedDown("a range that is no pair")
    low = -math.inf if value[0] is None else finite(value[0], "a bound")
    high = math.inf if value[1] is None else finite(value[1], "a bound")
    if low > high:
        raise NotPushedDown("a range in the wrong order")
    return low, high


def _inside(value: float, low: float, high: float) -> bool:
    return low <= value <= high or _close(value, low) or _close(value, high)


def _close(value: float, bound: float) -> bool:
    """``numpy.isclose`` with the tolerances that Great Expectations gives it."""
    if math.isinf(value) or math.isinf(bound):
        return value == bound
    return abs(value - bound) <= 1e-8 + 1e-4 * abs(bound)


def _count(args: Arguments, column: Column) -> Scalar:
    return args.count(column.present)


def _ordered(
    args: Arguments, column: Column, count: int, places: Sequence[int]
) -> Generator[list[Query], Any, list[float]]:
    """The values at these places. A share half-way between two places is never rounded to a wrong one."""
    wanted = sorted(set(places))
    shares = ", ".join(repr((place + 0.5) / count) for place in wanted)
    rows = f" WHERE {args.where}" if args.where else ""
    ((values,),) = yield [Query(f"SELECT quantile_disc({column.sql}, [{shares}]) FROM data{rows}")]
    found = dict(zip(wanted, values, strict=True))
    return [found[place] for place in places]
