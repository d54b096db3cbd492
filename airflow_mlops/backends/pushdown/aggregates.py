"""Expectations about one number of a column: its mean, its sum, an extreme."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Scalar, Steps
from airflow_mlops.backends.pushdown.columns import Column
from airflow_mlops.backends.pushdown.limits import limits_of, limits_on


def minimum(args: Arguments) -> Steps:
    return _extreme(args, "min")


def maximum(args: Arguments) -> Steps:
    return _extreme(args, "max")


def mean(args: Arguments) -> Steps:
    column, limits = numbers(args), limits_of(args)
    value, _, endless = yield moments(args, column)
    return limits.found((yield from _infinity(args, column)) if endless else value)


def stdev(args: Arguments) -> Steps:
    """Undefined beside an infinite value, and for fewer than two."""
    column, limits = numbers(args), limits_of(args)
    _, value, endless = yield moments(args, column)
    return limits.found(None if endless else value)


def total(args: Arguments) -> Steps:
    """The sum; of no values it is 0."""
    column, limits = numbers(args), limits_of(args)
    value, endless = yield [args.aggregate(f"sum({column.sql})", _finite(column)), _endless(args, column)]
    return limits.found((yield from _infinity(args, column)) if endless else value or 0)


def non_null_proportion(args: Arguments) -> Steps:
    column, limits = args.column(), limits_of(args)
    rows, present = yield [args.count(), args.aggregate(f"count({column.sql})")]
    return limits.found(present / rows if rows else 0)


def numbers(args: Arguments) -> Column:
    column = args.column()
    if not column.is_number:
        raise NotPushedDown(f"numbers of {column.dtype}")
    return column


def moments(args: Arguments, column: Column) -> list[Scalar]:
    """Mean and sample deviation of the finite values, and how many are not: DuckDB would compute neither
    with them."""
    return [
        args.aggregate(f"avg({column.sql})", _finite(column)),
        args.aggregate(f"stddev_samp({column.sql})", _finite(column)),
        _endless(args, column),
    ]


def _finite(column: Column) -> str | None:
    return None if column.kind == "int" else f"isfinite({column.sql})"


def _endless(args: Arguments, column: Column) -> Scalar:
    return args.count("false" if column.kind == "int" else f"isinf({column.sql})")


def _infinity(args: Arguments, column: Column) -> Generator[list[Scalar], Any, float | None]:
    """What a sum or a mean comes to with infinite values; none where there are some of either sign."""
    above, below = yield [
        args.count(f"isinf({column.sql})", f"{column.sql} {sign} 0") for sign in (">", "<")
    ]
    return None if above and below else math.inf if above else -math.inf


def _extreme(args: Arguments, call: str) -> Steps:
    column = args.column()
    if not column.is_number and column.kind != "time":
        raise NotPushedDown(f"the {call} of {column.dtype}")
    limits = limits_on(args, column)
    (value,) = yield [args.aggregate(f"{call}({column.sql})")]
    found: Found = limits.found(value)
    return found if column.is_number else replace(found, observed=None)
