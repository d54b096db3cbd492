"""Expectations about one number of a column: its mean, its sum, an extreme."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import NotPushedDown, Scalar, Steps
from airflow_mlops.backends.pushdown.columns import Column
from airflow_mlops.backends.pushdown.limits import limits_of, limits_on


def minimum(args: Arguments) -> Steps:
    return _extreme(args, "min")


def maximum(args: Arguments) -> Steps:
    return _extreme(args, "max")


def mean(args: Arguments) -> Steps:
    column = numbers(args)
    limits = limits_on(args, column)
    (value,) = yield [average(args, column)]
    return limits.found(value)


def stdev(args: Arguments) -> Steps:
    """Of a sample: undefined for fewer than two values, and beside an infinite one."""
    column = numbers(args)
    limits = limits_on(args, column)
    (value,) = yield [deviation(args, column)]
    return limits.found(value)


def total(args: Arguments) -> Steps:
    """The sum; of no values it is 0."""
    column = numbers(args)
    limits = limits_on(args, column)
    (value,) = yield [args.aggregate(f"sum({column.sql})")]
    return limits.found(0 if value is None else value)


def non_null_proportion(args: Arguments) -> Steps:
    column, limits = args.column(), limits_of(args)
    rows, present = yield [args.count(), args.count(column.present)]
    return limits.found(present / rows if rows else 0)


def numbers(args: Arguments) -> Column:
    column = args.column()
    if not column.is_number:
        raise NotPushedDown(f"numbers of {column.dtype}")
    return column


def average(args: Arguments, column: Column) -> Scalar:
    return args.aggregate(f"avg({column.sql})")


def deviation(args: Arguments, column: Column) -> Scalar:
    return args.aggregate(f"stddev_samp({column.sql})")


def _extreme(args: Arguments, call: str) -> Steps:
    column = args.column()
    if not column.is_number and column.kind != "time":
        raise NotPushedDown(f"the {call} of {column.dtype}")
    limits = limits_on(args, column)
    (value,) = yield [args.aggregate(f"{call}({column.sql})")]
    found = limits.found(value)
    return found if column.is_number else replace(found, observed=None)
