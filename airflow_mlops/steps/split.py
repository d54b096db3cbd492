"""Split: which rows of a snapshot train, which are held out, and which are left out of both."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow_mlops.config.parts.data import Data
from airflow_mlops.config.parts.splits import NewestHoldout, RandomHoldout
from airflow_mlops.core.identity import sticky_share
from airflow_mlops.core.values import SnapshotPart
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.steps.columns import as_text

if TYPE_CHECKING:
    import pandas as pd


def holdout_start_of(data: Data, window: Window) -> datetime:
    """No row of the holdout is from before this moment; a random holdout is spread over the whole window."""
    if isinstance(data.holdout, NewestHoldout):
        return Period.parse(data.holdout.length).before(window.end)
    return window.start


def split(frame: pd.DataFrame, data: Data, *, model: str, holdout_start: datetime) -> list[SnapshotPart]:
    """The part of each row. No group is in two of ``train`` and ``holdout``.

    With the newest slice, earlier rows of a group that stands in it are left out: a model that has seen
    the patient is not judged by that patient. A random holdout takes whole groups, by a hash of the model's
    name and the group (of the key, for a row without one), so that every run draws the same.
    """
    if isinstance(data.holdout, RandomHoldout):
        is_holdout = _shares(frame, data, salt=f"{model}/holdout") < data.holdout.share
    else:
        is_holdout = frame[data.time_column] >= holdout_start
    left_out = ~is_holdout & _in_the_groups_of(frame, is_holdout, data.group)
    parts = zip(is_holdout.tolist(), left_out.tolist(), strict=True)
    return ["holdout" if held else "left_out" if out else "train" for held, out in parts]


def _shares(frame: pd.DataFrame, data: Data, salt: str) -> pd.Series:
    """Where each row falls between 0 and 1; each different name is hashed once."""
    names = "key " + as_text(frame[data.key])
    if data.group is not None:
        groups = "group " + as_text(frame[data.group])
        names = groups.where(frame[data.group].notna(), names)
    return names.map({name: sticky_share(name, salt) for name in names.unique()})


def _in_the_groups_of(frame: pd.DataFrame, chosen: pd.Series, group: str | None) -> pd.Series:
    if group is None:
        return chosen & False
    groups = frame[group]
    return groups.notna() & groups.isin(groups[chosen].dropna().unique())
