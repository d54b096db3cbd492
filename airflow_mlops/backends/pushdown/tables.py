"""Expectations about the table: its rows, its columns, their types."""

from __future__ import annotations

from airflow_mlops.backends.pushdown.arguments import Arguments
from airflow_mlops.backends.pushdown.asking import Found, NotPushedDown, Steps
from airflow_mlops.backends.pushdown.limits import limits_of


def row_count_between(args: Arguments) -> Steps:
    limits = limits_of(args, whole=True)
    if limits.low is not None and limits.high is not None and limits.low > limits.high:
        raise NotPushedDown("bounds in the wrong order")
    (rows,) = yield [args.count()]
    return limits.found(rows)


def row_count_equals(args: Arguments) -> Steps:
    value = _whole(args, "value")
    args.rest_is_known()
    (rows,) = yield [args.count()]
    return Found(success=rows == value, observed=float(rows))


def column_count_between(args: Arguments) -> Found:
    _all_rows(args)
    return limits_of(args).found(len(args.table.columns))


def column_count_equals(args: Arguments) -> Found:
    _all_rows(args)
    value = _whole(args, "value")
    args.rest_is_known()
    return Found(success=len(args.table.columns) == value, observed=float(len(args.table.columns)))


def columns_match_set(args: Arguments) -> Found:
    _all_rows(args)
    wanted = set(_names(args, "column_set"))
    exact = args.flag("exact_match", default=True)
    args.rest_is_known()
    there = set(args.table.columns)
    return Found(success=there == wanted if exact else wanted <= there)


def columns_match_list(args: Arguments) -> Found:
    _all_rows(args)
    wanted = _names(args, "column_list")
    args.rest_is_known()
    return Found(success=list(args.table.columns) == wanted)


def column_exists(args: Arguments) -> Found:
    _all_rows(args)
    name, place = args.text("column"), args.whole("column_index")
    args.rest_is_known()
    names = list(args.table.columns)
    if not name:
        raise NotPushedDown("a column without a name")
    if not place:  # 0 too means anywhere to Great Expectations
        return Found(success=name in names)
    return Found(success=-len(names) <= place < len(names) and names[place] == name)


def values_of_type(args: Arguments) -> Found:
    """pandas' type of the column; nobody looks at values where there is one."""
    _all_rows(args)
    dtype, type_ = args.column().dtype, args.text("type_")
    args.mostly()
    args.rest_is_known()
    return Found(success=_is_of_type(dtype, type_))


def values_in_type_list(args: Arguments) -> Found:
    _all_rows(args)
    dtype, types = args.column().dtype, args.get("type_list")
    args.mostly()
    args.rest_is_known()
    if not isinstance(types, list) or not types:
        raise NotPushedDown("type_list, which is no list")
    if dtype == "str" or dtype.startswith("datetime64"):
        raise NotPushedDown(f"{dtype} in a list of types")
    known = [_is_of_type(dtype, one) for one in map(_text, types)]  # each is looked at: one may be unknown
    return Found(success=any(known))


def _is_of_type(dtype: str, type_: str) -> bool:
    """Whether a column of a pandas type is of a type by any of the names that numpy has for it. Names that
    only pandas knows are left to Great Expectations, apart from the time stamp's."""
    import numpy as np

    if dtype in ("object", "category"):
        raise NotPushedDown(f"the type of values in a column of {dtype}")
    if dtype.startswith("datetime64"):
        if type_ in ("Timestamp", "datetime64", "datetime", "str", "int", "float", "bool", "object"):
            return type_ == "Timestamp"
        raise NotPushedDown("a type by a name that only pandas knows")
    if dtype == "str":
        if type_ in ("str", "string_types", "object", "int", "int64", "float", "float64", "bool"):
            return type_ in ("str", "string_types")
        raise NotPushedDown("a type by a name that only pandas knows")
    try:
        named = np.dtype(type_).type
    except TypeError as error:
        raise NotPushedDown("a type by a name that numpy does not know") from error
    return bool(named is np.dtype(dtype).type)


def _all_rows(args: Arguments) -> None:
    """What is told from the footer is told of all rows."""
    if args.kwargs.get("row_condition") is not None:
        raise NotPushedDown("a row_condition where it changes nothing")


def _whole(args: Arguments, name: str) -> int:
    value = args.whole(name)
    if value is None:
        raise NotPushedDown(f"no {name}")
    return value


def _names(args: Arguments, name: str) -> list[str]:
    names = args.get(name)
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise NotPushedDown(f"{name}, which is no list of names")
    return names


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotPushedDown("a type that is not named")
    return value
