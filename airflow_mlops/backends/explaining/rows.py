"""Which rows are explained: all, and those of each listed value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.material import Material

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 50
MOST_VALUES = 10


def parts(settings: Mapping[str, Any], material: Material) -> Iterator[tuple[str, pd.DataFrame]]:
    """A name and its holdout rows, at most ``settings["rows"]`` of each, drawn at random: first all rows, by
    the empty name, then each of the most frequent values of the columns in ``by`` that has rows enough.
    """
    rows = material.holdout
    yield "", _drawn(rows, settings, material)
    for column in settings["by"]:
        for value, count in rows[column].value_counts().head(MOST_VALUES).items():
            if count >= FEWEST_ROWS:
                yield f"{column}: {value}", _drawn(rows[rows[column] == value], settings, material)


def _drawn(rows: pd.DataFrame, settings: Mapping[str, Any], material: Material) -> pd.DataFrame:
    most = settings["rows"]
    return rows if len(rows) <= most else rows.sample(most, random_state=material.seed)
