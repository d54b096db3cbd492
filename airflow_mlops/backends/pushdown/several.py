"""Expectations about the values of two or more columns of one row."""

from __future__ import annotations

from itertools import combinations

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.arguments import Arguments, literal
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Steps
from airflow_mlops.backends.pushdown.columns import Column
from airflow_mlops.backends.pushdown.distinct import kept_of, rows_kept
from airflow_mlops.backends.pushdown.per_row import enough


def pair_equal(args: Arguments) -> Steps:
    first, second = _pair(args)
    return _share(args, f"{first.sql} = {second.sql}", _pair_kept(args, [first, second]))


def pair_greater(args: Arguments) -> Steps:
    first, second = _pair(args)
    sign = ">=" if args.flag("or_equal") else ">"
    return _share(args, f"{first.sql} {sign} {second.sql}", _pair_kept(args, [first, second]))


def pair_in_set(args: Arguments) -> Steps:
    """A missing value is one to look for: ``null`` in the list."""
    columns = _pair(args)
    if args.where is not None:  # Great Expectations counts the pairs of all rows then
        raise NotPushedDown("a row_condition on pairs in a set")
    pairs = args.get("value_pairs_set")
    if not isinstance(pairs, list) or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
        raise NotPushedDown("value_pairs_set, which is no list of pairs")
    found = [
        " AND ".join(f"({_is(column, value)})" for column, value in zip(columns, pair, strict=True))
        for pair in pairs
    ]
    return _share(args, " OR ".join(found) or "false", _pair_kept(args, list(columns)))


def sum_equals(args: Arguments) -> Steps:
    """A row with a missing value has no sum, and is at fault."""
    columns, wanted = args.columns(), args.number("sum_total")
    if wanted is None or not all(column.is_number for column in columns):
        raise NotPushedDown("no total, or columns that are no numbers")
    as_whole = all(column.kind == "int" for column in columns)
    added = " + ".join(f"CAST({column.sql} AS {'HUGEINT' if as_whole else 'DOUBLE'})" for column in columns)
    return _share(args, f"{added} = {sql.number(wanted)}", rows_kept(args, columns))


def all_equal(args: Arguments) -> Steps:
    """Two missing values are equal, a missing one and one that is there are not."""
    columns = _alike(args.columns())
    first = columns[0].sql
    equal = " AND ".join(f"{column.sql} IS NOT DISTINCT FROM {first}" for column in columns[1:])
    return _share(args, equal, rows_kept(args, columns))


def all_different(args: Arguments) -> Steps:
    columns = _alike(args.columns())
    pairs = combinations([column.sql for column in columns], 2)
    different = " AND ".join(f"{one} IS DISTINCT FROM {other}" for one, other in pairs)
    return _share(args, different, rows_kept(args, columns))


def _share(args: Arguments, ok: str, kept: str | None) -> Steps:
    """Of the rows that are kept, enough must be right; a comparison with a missing value is not."""
    mostly = args.mostly()
    args.rest_is_known()
    wrong = f"NOT coalesce({ok}, false)"
    rows, considered, unexpected = yield [args.count(), args.count(kept), args.count(kept, wrong)]
    return Found(
        success=enough(considered, unexpected, mostly),
        rows=rows,
        unexpected=unexpected,
        fault=sql.both(args.where, kept, wrong),
    )


def _pair(args: Arguments) -> tuple[Column, Column]:
    first, second = _alike([args.column("column_A"), args.column("column_B")])
    return first, second


def _alike(columns: list[Column]) -> list[Column]:
    """Columns that pandas compares without a second thought: numbers, texts or times. Categories and truth
    values are not."""
    plain = {"number" if column.is_number else column.dtype for column in columns}
    if len(plain) != 1 or not plain <= {"number", "str", "datetime64[us, UTC]"}:
        raise NotPushedDown("columns of types that pandas compares in its own way")
    return columns


def _pair_kept(args: Arguments, columns: list[Column]) -> str | None:
    way = args.choice("ignore_row_if", "both_values_are_missing", ("either_value_is_missing", "neither"))
    return kept_of(columns, {"both_values_are_missing": "all", "either_value_is_missing": "any"}.get(way, ""))


def _is(column: Column, value: object) -> str:
    if value is None:
        return f"{column.sql} IS NULL"
    return f"coalesce({column.sql} = {literal(value, column)}, false)"
