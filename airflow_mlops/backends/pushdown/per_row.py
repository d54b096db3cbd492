"""Expectations about each value of one column: a condition that the values which are there must meet."""

from __future__ import annotations

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Steps
from airflow_mlops.backends.pushdown.columns import Column


def not_null(args: Arguments) -> Steps:
    column = args.column()
    return _share_of_all(args, f"{column.sql} IS NULL")


def null(args: Arguments) -> Steps:
    column = args.column()
    return _share_of_all(args, f"{column.sql} IS NOT NULL")


def between(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, _inside(args, column))


def in_set(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, sql.is_in(column.sql, args.values(column)))


def not_in_set(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, f"NOT ({sql.is_in(column.sql, args.values(column))})")


def lengths_between(args: Arguments) -> Steps:
    column = args.column()
    low, high = args.whole("min_value"), args.whole("max_value")
    if low is None and high is None:
        raise NotPushedDown("no bound")
    ok = _within(
        _length(column),
        None if low is None else str(low),
        None if high is None else str(high),
        strict_min=args.flag("strict_min"),
        strict_max=args.flag("strict_max"),
    )
    return share_of_present(args, column, ok)


def lengths_equal(args: Arguments) -> Steps:
    column, value = args.column(), args.number("value")
    if value is None:
        raise NotPushedDown("no value")
    return share_of_present(args, column, f"{_length(column)} = {sql.number(value)}")


def matches(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, _match(column, args.text("regex")))


def matches_not(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, f"NOT {_match(column, args.text('regex'))}")


def matches_of_list(args: Arguments) -> Steps:
    column = args.column()
    word = " OR " if args.choice("match_on", "any", ("all",)) == "any" else " AND "
    return share_of_present(args, column, word.join(_matches(args, column)))


def matches_none_of_list(args: Arguments) -> Steps:
    column = args.column()
    return share_of_present(args, column, f"NOT ({' OR '.join(_matches(args, column))})")


def unique(args: Arguments) -> Steps:
    """Every row of a value that is there twice is at fault."""
    column, mostly = args.column(), args.mostly()
    args.rest_is_known()
    rows, (present, _, alone) = yield [args.count(), args.groups([column], column.present)]
    among = sql.both(args.where, column.present) or "true"
    repeated = f"SELECT {column.sql} FROM data WHERE {among} GROUP BY {column.sql} HAVING count(*) > 1"
    return Found(
        success=enough(present, present - alone, mostly),
        rows=rows,
        unexpected=present - alone,
        fault=f"{among} AND {column.sql} IN ({repeated})",
    )


def enough(considered: int, unexpected: int, mostly: float) -> bool:
    """Great Expectations' rule: nothing to consider is no failure."""
    return considered == 0 or (float(considered) - float(unexpected)) / float(considered) >= mostly


def share_of_present(args: Arguments, column: Column, ok: str) -> Steps:
    """Of the values that are there, enough must be right."""
    mostly = args.mostly()
    args.rest_is_known()
    wrong = f"NOT ({ok})"
    rows, present, unexpected = yield [
        args.count(),
        args.count(column.present),
        args.count(column.present, wrong),
    ]
    return Found(
        success=enough(present, unexpected, mostly),
        rows=rows,
        unexpected=unexpected,
        fault=sql.both(args.where, column.present, wrong),
    )


def _share_of_all(args: Arguments, wrong: str) -> Steps:
    """Of all rows, enough must be right."""
    mostly = args.mostly()
    args.rest_is_known()
    rows, unexpected = yield [args.count(), args.count(wrong)]
    return Found(
        success=rows == 0 or (rows - unexpected) / rows >= mostly,
        rows=rows,
        unexpected=unexpected,
        fault=sql.both(args.where, wrong),
    )


def _inside(args: Arguments, column: Column) -> str:
    low, high = args.bound("min_value", column), args.bound("max_value", column)
    if low is None and high is None:
        raise NotPushedDown("no bound")
    if low is not None and high is not None and _number(low) > _number(high):
        raise NotPushedDown("bounds in the wrong order")
    strict_min, strict_max = args.flag("strict_min"), args.flag("strict_max")
    subject = f"CAST({column.sql} AS INTEGER)" if column.kind == "bool" else column.sql
    return _within(subject, low, high, strict_min=strict_min, strict_max=strict_max)


def _within(subject: str, low: str | None, high: str | None, *, strict_min: bool, strict_max: bool) -> str:
    sides = [
        None if low is None else f"{subject} {'>' if strict_min else '>='} {low}",
        None if high is None else f"{subject} {'<' if strict_max else '<='} {high}",
    ]
    return " AND ".join(side for side in sides if side is not None)


def _number(literal: str) -> float:
    return float(literal.removeprefix("CAST('").removesuffix("' AS DOUBLE)"))


def _length(column: Column) -> str:
    return f"length({_as_text(column)})"


def _as_text(column: Column) -> str:
    """As Python writes the value; how it writes floats, truth values and times is left to it."""
    if column.kind == "text":
        return column.sql
    if column.kind == "int":
        return f"CAST({column.sql} AS VARCHAR)"
    raise NotPushedDown(f"the text of {column.dtype}")


def _matches(args: Arguments, column: Column) -> list[str]:
    patterns = args.get("regex_list")
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise NotPushedDown("regex_list, which is no list of patterns")
    return [_match(column, pattern) for pattern in patterns]


def _match(column: Column, pattern: str) -> str:
    """pandas 3 matches text by RE2 wherever RE2 knows the pattern, and so does DuckDB."""
    import duckdb

    match = f"regexp_matches({_as_text(column)}, {sql.text(pattern)})"
    try:
        with duckdb.connect() as nothing:
            nothing.execute(f"SELECT regexp_matches('', {sql.text(pattern)})").fetchall()
    except duckdb.Error as error:
        raise NotPushedDown("a pattern that RE2 does not know") from error
    return match
