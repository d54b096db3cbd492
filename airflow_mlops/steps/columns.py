"""Columns in the one form that training, serving and monitoring share, whatever pandas made of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

from airflow_mlops.core.values import ColumnKind
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def typed(frame: pd.DataFrame, features: Mapping[str, ColumnKind]) -> pd.DataFrame:
    """Numeric features as floats, categories and texts as text, so that training and serving see the same
    types. A missing text is an empty one, in the endpoint's log too: no vectorizer takes a hole.

    Raises ``DataRefused`` that names the columns which are called numeric and hold something else.
    """
    changed = {}
    wrong = []
    for name, kind in features.items():
        column = frame[name]
        found = as_numbers(column) if kind == "numeric" else as_text(column)
        if found is not None and kind == "text":
            found = found.where(found.notna(), "")
        if found is not None:
            changed[name] = found
        else:
            sample = column.dropna().iloc[0]
            wrong.append(f"{name} is {column.dtype} (a value is of type {type(sample).__name__})")
    if wrong:
        raise DataRefused(
            "data.features calls these columns numeric, but they are not: "
            + "; ".join(wrong)
            + ". Correct the source, or declare them categorical"
        )
    return frame.assign(**changed)


def as_numbers(column: pd.Series) -> pd.Series | None:
    """As float64, missing values as NaN; None where the values are no numbers.

    Flags and numbers with a hole in them, and decimals, come as objects: they are numbers all the same.
    """
    if getattr(column.dtype, "kind", "O") in "biuf":
        return column.astype("float64")
    there = column.notna()
    if not all(isinstance(value, (Real, Decimal)) for value in column[there]):
        return None
    return column.astype(object).where(there, float("nan")).astype("float64")


def as_text(column: pd.Series) -> pd.Series:
    """As text, missing values left as they are; ``7``, not ``7.0``: pandas holds whole numbers with a hole
    among them as floats, and a client who sends 7 must meet the category 7.
    """
    kind = getattr(column.dtype, "kind", "O")
    whole = kind in "iu" or (kind == "f" and bool((column.dropna() % 1 == 0).all()))
    return column.astype(object).map((lambda value: f"{value:.0f}") if whole else str, na_action="ignore")
