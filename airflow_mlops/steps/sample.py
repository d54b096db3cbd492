"""A small sample of the training rows, for what is tried before the real run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import is_classification

if TYPE_CHECKING:
    import pandas as pd

ROWS_OF_EACH_CLASS = 20
SHARE_HELD_OUT = 0.2


def sample_of(rows: pd.DataFrame, config: ModelConfig) -> pd.DataFrame:
    """The newest rows and, for a classifier, the newest of each class: where a class is rare, the newest
    rows alone may all be of the other one."""
    newest = rows.tail(config.preflight.sample_rows)
    if is_classification(config.task):
        of_each_class = rows.groupby(config.data.label).tail(ROWS_OF_EACH_CLASS)
        return rows.loc[newest.index.union(of_each_class.index)].reset_index(drop=True)
    return newest.reset_index(drop=True)


def held_out_of(sample: pd.DataFrame, config: ModelConfig) -> pd.Series:
    """Which rows of a sample play the holdout: the newest fifth, of each class for a classifier, so that
    both parts have every class that has two rows."""
    if not is_classification(config.task):
        from_the_end = sample.index[::-1].to_series(index=sample.index)
        return from_the_end < max(1, int(SHARE_HELD_OUT * len(sample)))
    by_class = sample.groupby(config.data.label)[config.data.label]
    from_the_end, size = by_class.cumcount(ascending=False), by_class.transform("size")
    wanted = (SHARE_HELD_OUT * size).clip(lower=1)
    return (from_the_end < wanted) & (size > 1)
