"""The answers that a monitored window keeps: of their columns only those that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.steps.window_score import watched

if TYPE_CHECKING:
    import pandas as pd


def to_join(labels: Labels) -> tuple[str, ...]:
    """The columns that a version's answers are found and joined to their labels by."""
    return ("key", "version") if labels.join == "key" else ("request_id", "key", "version")


def to_score(config: ModelConfig, labels: Labels) -> tuple[str, ...] | None:
    """Those and what scores and losses are made of; None, all there are, where a function of the user's own
    is handed the rows."""
    settings = watched(config)
    items = [config.evaluation.item(name) for name in (settings.metric, settings.loss) if name is not None]
    if any(item is not None and item.callable is not None for item in items):
        return None
    read = [column for item in items if item is not None for column in item.columns]
    group = [] if config.data.group is None else [config.data.group]
    return tuple(dict.fromkeys((*to_join(labels), "event_time", "prediction", *group, *read)))


def load_answers(uri: str, columns: Sequence[str] | None, backends: Backends) -> pd.DataFrame:
    """The window's rows with those of the columns that it keeps, numbered as in its file. Raises
    ``DataRefused`` where it is gone."""
    from airflow_mlops.backends.kept_rows import names_in

    if columns is not None:
        kept = names_in(backends.datasets.file(uri))
        columns = [name for name in columns if name in kept]
    return backends.datasets.load_frame(uri, columns)
