"""Frames that have every kind of column, and suites that ask everything of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from airflow_mlops.core.values import Expectation

NUMBERS = ("whole", "holed", "small", "size", "narrow", "endless", "nothing", "flat")
TEXTS = ("word", "kind", "silent")
OTHERS = ("flag", "maybe", "at", "day")


def frame(rows: int, seed: int = 0, *, holes: bool = True) -> pd.DataFrame:
    """``rows`` rows, drawn with many ties."""
    draw = np.random.default_rng(seed)
    some = draw.random(rows) < 0.2 if holes else np.zeros(rows, dtype=bool)
    words = np.array(["", "a", "ab", "A'b\"c", "été", "x\ny", "7", "🙂 ok"], dtype=object)
    sizes = np.round(draw.normal(size=rows), 1)
    word = words[draw.integers(0, len(words), rows)]
    days = pd.Timestamp("2024-02-28", tz="UTC") + pd.to_timedelta(draw.integers(0, 72, rows), unit="h")
    return pd.DataFrame(
        {
            "whole": draw.integers(-3, 9, rows),
            "holed": pd.Series(draw.integers(0, 5, rows), dtype="Int64").mask(some),
            "small": draw.integers(0, 4, rows).astype("int8"),
            "size": np.where(some, np.nan, sizes),
            "narrow": sizes.astype("float32"),
            "endless": np.where(some, np.inf, sizes),
            "nothing": np.full(rows, np.nan),
            "flat": np.full(rows, 2.5),
            "word": pd.Series(word, dtype="str").mask(some),
            "kind": pd.Categorical(pd.Series(word, dtype="str").mask(some)),
            "silent": pd.Series([None] * rows, dtype="str"),
            "flag": draw.random(rows) < 0.5,
            "maybe": pd.Series(draw.random(rows) < 0.5, dtype="boolean").mask(some),
            "at": pd.Series(days).mask(some),
            "day": [date(2024, 1, 1 + int(one)) for one in draw.integers(0, 5, rows)],
        }
    )


def suite() -> list[Expectation]:
    """Every expectation that is pushed down, on every kind of column, with every argument it knows."""
    return [Expectation(f"expect_{name}", kwargs) for name, kwargs in _all()]


def _all() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _tables()
    for column in (*NUMBERS, *TEXTS, *OTHERS):
        yield from ((name, {"column": column, **rest}) for name, rest in _of_any_column(column))
    for column in NUMBERS:
        yield from ((name, {"column": column, **rest}) for name, rest in _of_numbers())
    for column in (*TEXTS, "whole", "small", "size"):
        yield from ((name, {"column": column, **rest}) for name, rest in _of_texts())
    yield from _of_several()
    yield from _of_some_rows()


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    names = list(frame(0).columns)
    yield "table_row_count_to_be_between", {"min_value": 1, "max_value": 100}
    yield "table_row_count_to_be_between", {"min_value": 40, "strict_min": True}
    yield "table_row_count_to_equal", {"value": 40}
    yield "table_column_count_to_be_between", {"min_value": 3, "max_value": len(names)}
    yield "table_column_count_to_equal", {"value": 3}
    yield "table_columns_to_match_ordered_list", {"column_list": names}
    yield "table_columns_to_match_ordered_list", {"column_list": names[::-1]}
    for exact in (True, False):
        for wanted in (names, names[:3], [*names, "more"]):
            yield "table_columns_to_match_set", {"column_set": wanted, "exact_match": exact}
    yield "table_columns_to_match_set", {"column_set": names[1:]}
    for place in (0, 2, -1, 99):
        yield "column_to_exist", {"column": "small", "column_index": place}
    yield "column_to_exist", {"column": "gone"}


def _of_any_column(column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for mostly in ({}, {"mostly": 0.5}, {"mostly": 0.0}, {"mostly": 0.8}):
        yield "column_values_to_not_be_null", mostly
        yield "column_values_to_be_null", mostly
        yield "column_values_to_be_unique", mostly
    for type_ in (
        "int",
        "int64",
        "float",
        "float64",
        "float32",
        "str",
        "bool",
        "Timestamp",
        "int8",
        "object",
    ):
        yield "column_values_to_be_of_type", {"type_": type_}
    yield "column_values_to_be_in_type_list", {"type_list": ["int", "float"]}
    yield "column_values_to_be_in_type_list", {"type_list": ["str", "bool"]}
    yield "column_unique_value_count_to_be_between", {"min_value": 2, "max_value": 8}
    yield "column_unique_value_count_to_be_between", {"max_value": 0}
    yield "column_proportion_of_unique_values_to_be_between", {"min_value": 0.05, "max_value": 0.5}
    yield "column_proportion_of_non_null_values_to_be_between", {"min_value": 0.9, "strict_max": True}
    yield "column_proportion_of_non_null_values_to_be_between", {"max_value": 0.9}
    for values in _sets(column):
        for mostly in ({}, {"mostly": 0.4}):
            yield "column_values_to_be_in_set", {"value_set": values, **mostly}
            yield "column_values_to_not_be_in_set", {"value_set": values, **mostly}
        yield "column_distinct_values_to_be_in_set", {"value_set": values}
        yield "column_distinct_values_to_contain_set", {"value_set": values}
        yield "column_distinct_values_to_equal_set", {"value_set": values}
        yield "column_most_common_value_to_be_in_set", {"value_set": values}
        yield "column_most_common_value_to_be_in_set", {"value_set": values, "ties_okay": True}
    for bounds in _bounds(column):
        yield "column_values_to_be_between", bounds
        yield "column_values_to_be_between", {**bounds, "strict_min": True, "mostly": 0.5}
        yield "column_values_to_be_between", {**bounds, "strict_max": True}
        for call in ("min", "max"):
            yield f"column_{call}_to_be_between", bounds
            yield f"column_{call}_to_be_between", {**bounds, "strict_min": True, "strict_max": True}


def _sets(column: str) -> list[list[Any]]:
    if column in NUMBERS:
        return [[0, 1, 2, 3, 4], [2.5], [], [-3, 0.5, 2, 2.0], list(range(-9, 9))]
    if column in TEXTS:
        return [["", "a", "ab"], ["A'b\"c", "été", "x\ny", "7", "🙂 ok", "", "a", "ab"], [], ["nowhere"]]
    if column in ("flag", "maybe"):
        return [[True], [True, False], []]
    return [["2024-02-28", "2024-02-29T01:00:00"], []]


def _bounds(column: str) -> list[dict[str, Any]]:
    if column in (*NUMBERS, "flag", "maybe"):
        return [
            {"min_value": 0, "max_value": 1},
            {"min_value": -0.5},
            {"max_value": 2.5},
            {"min_value": -9, "max_value": 99.5},
        ]
    if column == "at":
        return [
            {"min_value": "2024-02-28"},
            {"min_value": "2024-02-28 12:00:00+01:00", "max_value": "2024-03-01T05:00:00"},
            {"max_value": "2025-01-01"},
        ]
    return []


def _of_numbers() -> Iterator[tuple[str, dict[str, Any]]]:
    for call in ("mean", "median", "stdev", "sum"):
        for bounds in (
            {"min_value": -0.05, "max_value": 3.05},
            {"max_value": 1.01},
            {"min_value": -999.5},
            {},
        ):
            yield f"column_{call}_to_be_between", bounds
        yield f"column_{call}_to_be_between", {"min_value": 0, "strict_min": True}
    shares = [0, 0.1, 0.25, 0.5, 0.77, 1]
    for way in (False, "nearest", "lower", "higher", "midpoint", "linear"):
        for ranges in ([[-9, 99]] * 6, [[None, 0.5], [0, None], [-1, 2], [1, 3], [2.5, 9], [None, None]]):
            yield (
                "column_quantile_values_to_be_between",
                {
                    "quantile_ranges": {"quantiles": shares, "value_ranges": ranges},
                    "allow_relative_error": way,
                },
            )
    for threshold in (0.5, 1.5, 9):
        for double_sided in (True, False):
            yield (
                "column_value_z_scores_to_be_less_than",
                {"threshold": threshold, "double_sided": double_sided, "mostly": 0.9},
            )


def _of_texts() -> Iterator[tuple[str, dict[str, Any]]]:
    for bounds in ({"min_value": 1, "max_value": 2}, {"min_value": 1}, {"max_value": 2}):
        for strict in (
            {},
            {"strict_min": True},
            {"strict_max": True},
            {"strict_min": True, "strict_max": True},
        ):
            yield "column_value_lengths_to_be_between", {**bounds, **strict, "mostly": 0.7}
    yield "column_value_lengths_to_equal", {"value": 1}
    yield "column_value_lengths_to_equal", {"value": 2.5, "mostly": 0.1}
    for regex in (
        "^a",
        "b$",
        "y$",
        r"\d",
        r"\w+",
        ".",
        "x.y",
        "(?i)a",
        "é",
        "^$",
        r"^[a-z]*$",
        r"(a)(?=b)",
        r"\bok",
    ):
        yield "column_values_to_match_regex", {"regex": regex}
        yield "column_values_to_not_match_regex", {"regex": regex, "mostly": 0.6}
    for match_on in ("any", "all"):
        yield "column_values_to_match_regex_list", {"regex_list": ["^a", "b"], "match_on": match_on}
    yield "column_values_to_match_regex_list", {"regex_list": ["^a", r"\d"]}
    yield "column_values_to_not_match_regex_list", {"regex_list": ["^a", r"\d"]}


def _of_several() -> Iterator[tuple[str, dict[str, Any]]]:
    pairs = [
        ("whole", "small"),
        ("holed", "size"),
        ("size", "narrow"),
        ("word", "silent"),
        ("at", "at"),
        ("endless", "size"),
    ]
    for first, second in pairs:
        both = {"column_A": first, "column_B": second}
        for way in ({}, *({"ignore_row_if": one} for one in _PAIR_WAYS)):
            yield "column_pair_values_to_be_equal", {**both, **way, "mostly": 0.3}
            for or_equal in (False, True):
                yield "column_pair_values_a_to_be_greater_than_b", {**both, **way, "or_equal": or_equal}
    for way in ({}, *({"ignore_row_if": one} for one in _PAIR_WAYS)):
        for first, second, wanted in (
            ("whole", "small", [[0, 0], [1, 1], [2, 3]]),
            ("holed", "size", [[None, 0.1], [1, 0.5], [None, None]]),
            ("word", "silent", [["a", None], ["ab", "x"]]),
        ):
            yield (
                "column_pair_values_to_be_in_set",
                {"column_A": first, "column_B": second, "value_pairs_set": wanted, **way, "mostly": 0.1},
            )
    for columns in (["whole", "small"], ["holed", "size", "word"], ["word", "flag"], ["nothing", "silent"]):
        for way in ({}, *({"ignore_row_if": one} for one in _LIST_WAYS)):
            yield "compound_columns_to_be_unique", {"column_list": columns, **way}
            yield "compound_columns_to_be_unique", {"column_list": columns, **way, "mostly": 0.2}
    for columns in (["whole", "small"], ["holed", "size"], ["whole", "size", "narrow"], ["nothing", "flat"]):
        for way in ({}, *({"ignore_row_if": one} for one in _LIST_WAYS)):
            yield "multicolumn_sum_to_equal", {"column_list": columns, "sum_total": 3, **way, "mostly": 0.1}
            yield "multicolumn_values_to_be_equal", {"column_list": columns, **way, "mostly": 0.1}
            yield (
                "select_column_values_to_be_unique_within_record",
                {"column_list": columns, **way, "mostly": 0.9},
            )


_PAIR_WAYS = ("both_values_are_missing", "either_value_is_missing", "neither")
_LIST_WAYS = ("all_values_are_missing", "any_value_is_missing", "never")

CONDITIONS = (
    "whole > 2",
    "size != 0.5 and small <= 2",
    "size == 0.5 or not (whole < 3)",
    "word == 'a'",
    "word != 'a'",
    "small in [1, 2]",
    "holed not in [1, 2]",
    "word in ['a', 'ab'] and 0 < whole < 6",
    "flag == True",
    "whole > small",
    "size >= -0.5",
    "whole > 99",
)


def _of_some_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for condition in CONDITIONS:
        some = {"row_condition": condition, "condition_parser": "pandas"}
        yield "table_row_count_to_be_between", {"min_value": 1, "max_value": 20, **some}
        yield "table_row_count_to_equal", {"value": 0, **some}
        yield "column_values_to_not_be_null", {"column": "size", **some}
        yield "column_values_to_be_between", {"column": "size", "min_value": 0, "mostly": 0.4, **some}
        yield "column_values_to_be_unique", {"column": "whole", **some}
        yield "column_values_to_match_regex", {"column": "word", "regex": "a", **some}
        yield "column_mean_to_be_between", {"column": "whole", "min_value": 0.3, **some}
        yield "column_median_to_be_between", {"column": "size", "min_value": -0.05, **some}
        yield "column_sum_to_be_between", {"column": "size", "min_value": -0.05, **some}
        yield "column_unique_value_count_to_be_between", {"column": "word", "min_value": 3, **some}
        yield "column_distinct_values_to_be_in_set", {"column": "small", "value_set": [0, 1], **some}
        yield "compound_columns_to_be_unique", {"column_list": ["whole", "small"], **some}
        yield "column_pair_values_to_be_equal", {"column_A": "whole", "column_B": "small", **some}
