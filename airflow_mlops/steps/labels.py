"""Labels: the truth that has landed, by the key that answers are joined with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.windows import Window
from airflow_mlops.steps.columns import as_text

if TYPE_CHECKING:
    import pandas as pd


def landed_labels(config: ModelConfig, labels: Labels, window: Window, backends: Backends) -> pd.DataFrame:
    """``key`` (as text, which the inference log has), ``label`` and ``labelled_at`` (the row's own time) of
    the window's rows whose label has landed. Raises ``DataRefused`` where the source has no such columns."""
    data, source = config.data, labels.source
    rows = backends.data_source(source.type, source.model_dump(exclude={"type"})).read(
        window, time_column=data.time_column, columns=[data.key, data.time_column, data.label]
    )
    rows = rows[rows[data.label].notna() & rows[data.key].notna()]
    named = {"key": as_text(rows[data.key]), "label": rows[data.label], "labelled_at": rows[data.time_column]}
    return rows.assign(**named)[list(named)]
