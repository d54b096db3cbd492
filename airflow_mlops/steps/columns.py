"""Columns in the one form that training, serving and monitoring share, whatever pandas made of them."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


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
