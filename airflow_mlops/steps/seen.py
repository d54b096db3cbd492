"""Seen: whether a champion was trained on the rows that are to judge it, which would flatter it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.data import Data
from airflow_mlops.config.parts.splits import NewestHoldout
from airflow_mlops.core.values import DatasetRef
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

SEEN_GROUPS_SHARE = 0.01
"""Holdout rows of groups that the champion knows: so few cannot turn a verdict."""


def holdout_tags(data: Data, dataset: DatasetRef) -> dict[str, str]:
    """What a training run says about the rows that it was not trained on."""
    tags = {
        "mlops.holdout": data.holdout.type,
        "mlops.holdout_start": dataset.holdout_start.isoformat(),
    }
    if not isinstance(data.holdout, NewestHoldout):
        tags["mlops.holdout_share"] = repr(data.holdout.share)
        tags["mlops.holdout_by"] = data.group or data.key
    return tags


def champion_has_seen(
    tags: Mapping[str, str], config: ModelConfig, dataset: DatasetRef, rows: pd.DataFrame, backends: Backends
) -> str | None:
    """Why the comparison on these holdout rows would flatter the champion, or None. ``tags`` are those of
    the champion's training run.

    Two random holdouts by one column draw alike: whoever held out no smaller share never saw a row of this
    one. In all other cases the times decide: a champion knows rows up to its own holdout's start, or up to
    its window's end where its holdout was random. Where rows come in groups, it must not know those either.
    """
    data = config.data
    if tags.get("mlops.holdout") == "random":
        if not isinstance(data.holdout, NewestHoldout):
            return _random_against_random(tags, data.holdout.share, data.group or data.key)
        seen = _by_time(tags.get("mlops.window_end"), dataset)
        if seen is None and data.group is not None:
            return f"its holdout was random, and this one is the newest slice: it knows {data.group} of it"
        return seen
    if (seen := _by_time(tags.get("mlops.holdout_start"), dataset)) is not None:
        return seen
    return None if data.group is None else _by_group(tags, data, data.group, rows, backends)


def _random_against_random(tags: Mapping[str, str], share: float, by: str) -> str | None:
    theirs, column = float(tags.get("mlops.holdout_share", 0)), tags.get("mlops.holdout_by")
    if column != by:
        return f"its random holdout was drawn by {column}, and this one is drawn by {by}: it knows rows of it"
    if theirs < share:
        return f"its random holdout was {theirs:g} of the rows, and this one is {share:g}: it knows the rest"
    return None


def _by_time(trained_until: str | None, dataset: DatasetRef) -> str | None:
    if trained_until is None or datetime.fromisoformat(trained_until) <= dataset.holdout_start:
        return None
    return (
        f"it was trained on rows until {trained_until}, and this holdout starts "
        f"{dataset.holdout_start.isoformat()}"
    )


def _by_group(
    tags: Mapping[str, str], data: Data, group: str, rows: pd.DataFrame, backends: Backends
) -> str | None:
    uri, started = tags.get("mlops.dataset_uri"), tags.get("mlops.holdout_start")
    if uri is None or started is None:
        return None
    try:
        theirs = backends.datasets.load_frame(uri)
    except DataRefused as error:
        return f"nobody knows which {group} it was trained on: {error}"
    if group not in theirs:
        return f"nobody knows which {group} it was trained on: its snapshot has no such column"
    held_out = theirs[data.time_column] >= datetime.fromisoformat(started)
    trained_on = set(theirs.loc[~held_out, group].dropna()) - set(theirs.loc[held_out, group].dropna())
    known = int(rows[group].isin(trained_on).sum())
    if known <= SEEN_GROUPS_SHARE * len(rows):
        return None
    return (
        f"it was trained on earlier rows of the same {group} as {known} of {len(rows)} holdout rows; "
        "data.holdout: {type: random} keeps whole groups away from every model"
    )
