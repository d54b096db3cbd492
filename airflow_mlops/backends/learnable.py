"""Refuses labels that nothing can be learnt from, before any training code sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def refuse_unusable_label(label: pd.Series) -> None:
    """Raise ``DataRefused`` for no rows, or for nulls among the labels, with their count."""
    if not len(label):
        raise DataRefused("there are no rows to train on")
    nulls = int(label.isna().sum())
    if nulls:
        raise DataRefused(
            f"the label {label.name!r} is null in {nulls} of {len(label)} rows; "
            "leave rows without a label out, or wait until their labels have landed"
        )


def refuse_one_class(label: pd.Series) -> None:
    """Raise ``DataRefused`` where a classifier would see one class only."""
    if label.nunique() < 2:
        raise DataRefused(
            f"all {len(label)} rows have one and the same label {label.name!r}; a classifier needs two "
            "classes: widen data.window, or look at how the label is made"
        )
