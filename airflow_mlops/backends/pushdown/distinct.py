"""Expectations about the distinct values of a column, or of several together."""

from __future__ import annotations

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Query, Scalar, Steps
from airflow_mlops.backends.pushdown.columns import Column
from airflow_mlops.backends.pushdown.limits import limits_of
from airflow_mlops.backends.pushdown.per_row import enough


def in_set(args: Arguments) -> Steps:
    column = args.column()
    values = args.values(column)
    if not values:
        raise NotPushedDown("a set without a value")
    listed = sql.is_in(column.sql, values)
    args.rest_is_known()
    (others,) = yield [_distinct(args, column, f"NOT ({listed})")]
    return Found(success=not others, unexpected=others)


def contain_set(args: Arguments) -> Steps:
    column = args.column()
    values = args.values(column)
    args.rest_is_known()
    (known,) = yield [_distinct(args, column, sql.is_in(column.sql, values))]
    return Found(success=known == len(values))


def equal_set(args: Arguments) -> Steps:
    column = args.column()
    values = args.values(column)
    listed = sql.is_in(column.sql, values)
    args.rest_is_known()
    known, others = yield [_distinct(args, column, listed), _distinct(args, column, f"NOT ({listed})")]
    return Found(success=not others and known == len(values), unexpected=others)


def count(args: Arguments) -> Steps:
    column, limits = args.column(), limits_of(args, whole=True)
    ((_, distinct, _),) = yield [args.groups([column], column.present)]
    return limits.found(distinct)


def proportion(args: Arguments) -> Steps:
    column, limits = args.column(), limits_of(args)
    ((present, distinct, _),) = yield [args.groups([column], column.present)]
    return limits.found(distinct / present if present else 0)


def most_common(args: Arguments) -> Steps:
    """The values that are there most often. One of them in the set is enough only where ties are okay."""
    column = args.column()
    values, ties_okay = args.values(column), args.flag("ties_okay")
    args.rest_is_known()
    rows = sql.both(args.where, column.present) or "true"
    counted = f"SELECT {column.sql} AS v, count(*) AS n FROM data WHERE {rows} GROUP BY v"
    ((modes, wanted),) = yield [
        Query(
            f"WITH counted AS ({counted}) SELECT count(*), count(*) FILTER (WHERE {sql.is_in('v', values)}) "
            "FROM counted WHERE n = (SELECT max(n) FROM counted)"
        )
    ]
    return Found(success=wanted > 0 if ties_okay else modes == wanted == 1)


def compound(args: Arguments) -> Steps:
    """Rows whose values in all these columns together are there once. Missing values equal each other."""
    columns, mostly = args.columns(), args.mostly()
    kept = rows_kept(args, columns)
    args.rest_is_known()
    rows, (considered, _, alone) = yield [args.count(), args.groups(columns, kept)]
    repeated = considered - alone
    return Found(success=enough(considered, repeated, mostly), rows=rows, unexpected=repeated)


def rows_kept(args: Arguments, columns: list[Column]) -> str | None:
    """What ``ignore_row_if`` leaves of the rows, for expectations about several columns."""
    way = args.choice("ignore_row_if", "all_values_are_missing", ("any_value_is_missing", "never"))
    return kept_of(columns, "all" if way.startswith("all") else "any" if way.startswith("any") else "none")


def kept_of(columns: list[Column], missing: str) -> str | None:
    """The rows that do not miss all, or any, of these columns."""
    if missing not in ("all", "any"):
        return None
    if any(column.kind == "other" for column in columns):
        raise NotPushedDown("columns of another type")
    word = " OR " if missing == "all" else " AND "
    return word.join(f"{column.sql} IS NOT NULL" for column in columns)


def _distinct(args: Arguments, column: Column, condition: str) -> Scalar:
    return args.aggregate(f"count(DISTINCT {column.sql})", column.present, condition)
