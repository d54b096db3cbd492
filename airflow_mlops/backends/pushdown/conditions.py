"""``row_condition`` as SQL: which rows an expectation is about, as pandas' ``query`` would choose them.

A comparison with a missing value is false to pandas, and ``!=`` true; in SQL it is neither.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from airflow_mlops.backends.pushdown import sql
from airflow_mlops.backends.pushdown.asking import NotPushedDown
from airflow_mlops.backends.pushdown.columns import Column, Table

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def condition_sql(condition: Any, table: Table) -> str:
    """Raises ``NotPushedDown`` for what it does not know: sums, times, columns without a plain name."""
    if not isinstance(condition, str):
        raise NotPushedDown("a row_condition that is not text")
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise NotPushedDown("a row_condition in another notation") from error
    return _truth(tree.body, table)


def _truth(node: ast.expr, table: Table) -> str:
    """An expression that is true or false for every row."""
    match node:
        case ast.BoolOp(op=op, values=values):
            word = " AND " if isinstance(op, ast.And) else " OR "
            return word.join(f"({_truth(value, table)})" for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"NOT ({_truth(operand, table)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _comparison(left, op, right, table)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            lefts = [left, *rights[:-1]]
            links = zip(lefts, ops, rights, strict=True)
            return " AND ".join(f"({_comparison(*link, table)})" for link in links)
    raise NotPushedDown("a row_condition that is more than comparisons")


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr, table: Table) -> str:
    if isinstance(op, ast.In | ast.NotIn):
        return _membership(left, right, table, negated=isinstance(op, ast.NotIn))
    sign = _COMPARISONS.get(type(op))
    columns = [found for side in (left, right) if (found := _column_of(side, table)) is not None]
    if sign is None or not columns:
        raise NotPushedDown("a row_condition that compares no column")
    if len(columns) == 2 and not _comparable(*columns):
        raise NotPushedDown("a row_condition on columns of two types")
    column = columns[0]
    if column.kind == "bool" and sign not in ("=", "<>"):
        raise NotPushedDown("a row_condition that orders truth values")
    sides = [_side(side, column, table) for side in (left, right)]
    return f"coalesce({sides[0]} {sign} {sides[1]}, {'true' if sign == '<>' else 'false'})"


def _membership(left: ast.expr, right: ast.expr, table: Table, *, negated: bool) -> str:
    column = _column_of(left, table)
    if column is None or not isinstance(right, ast.List | ast.Tuple) or not right.elts:
        raise NotPushedDown("a row_condition that looks for no column in a list")
    held = f"coalesce({sql.is_in(column.sql, [_value(one, column) for one in right.elts])}, false)"
    return f"NOT {held}" if negated else held


def _side(node: ast.expr, column: Column, table: Table) -> str:
    found = _column_of(node, table)
    return _value(node, column) if found is None else found.sql


def _column_of(node: ast.expr, table: Table) -> Column | None:
    if not isinstance(node, ast.Name):
        return None
    column = table.columns.get(node.id)
    if column is None or column.kind in ("other", "time") or column.dtype == "category":
        raise NotPushedDown(f"a row_condition on {node.id}")
    return column


def _comparable(one: Column, other: Column) -> bool:
    return one.kind == other.kind or (one.is_number and other.is_number)


def _value(node: ast.expr, column: Column) -> str:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as size)):
            value: Any = -size
        case ast.Constant(value=value):
            pass
        case _:
            raise NotPushedDown("a row_condition that computes")
    if isinstance(value, bool):
        if column.kind == "bool":
            return "true" if value else "false"
    elif isinstance(value, str):
        if column.kind == "text":
            return sql.text(value)
    elif isinstance(value, int | float) and math.isfinite(value) and column.is_number:
        return sql.number(value)
    raise NotPushedDown("a row_condition with a value of another type than its column")
