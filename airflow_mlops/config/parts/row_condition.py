"""``row_condition`` of an expectation: Great Expectations hands it to pandas, which runs it as code.

``@pd.io.common.os.system("...")`` is a query to pandas. Only what compares columns with values may pass.
"""

from __future__ import annotations

import ast
from typing import Any

_LONGEST = 500
_HARMLESS = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub,
    ast.BinOp, ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
    ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Name, ast.Load, ast.List, ast.Tuple, ast.Constant,
)  # fmt: skip


def refused_condition(condition: Any) -> str | None:
    """Why a condition may not be handed on; None if it may."""
    if not isinstance(condition, str):
        return "must be text, as in carrier == 'AA' and distance > 100"
    if len(condition) > _LONGEST:
        return f"must be at most {_LONGEST} characters"
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "must compare columns with values, as in carrier == 'AA' and distance > 100"
    found = next((one for one in ast.walk(tree) if not isinstance(one, _HARMLESS)), None)
    if found is None:
        return None
    return (
        f"may compare columns with values, and hold no {type(found).__name__.lower()}: "
        "pandas would run it as code"
    )
