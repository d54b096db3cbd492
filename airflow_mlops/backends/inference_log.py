"""What the model server answered, read from the Parquet files it writes below ``inference/<model>/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import ObjectStore
from airflow_mlops.backends.data_parquet import is_data
from airflow_mlops.backends.parquet_files import empty_frame, read_window
from airflow_mlops.backends.row_window import rows_in_window
from airflow_mlops.core.windows import Window

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = ("request_id", "key", "event_time", "received_at", "version", "role", "prediction")
ALSO = ("mode", "weight", "rollout_id", "error", "latency_seconds")


class ParquetInferenceLog:
    """Reads the log of a server that may be writing at this moment: it writes under a name that starts
    with a dot and renames, so every file that is seen is whole."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self, model: str, window: Window, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows with event time in the window, by event time; empty where nothing was asked.

        Always has the columns of ``ALWAYS``; ``columns`` (None: all there are) adds to them. A feature that
        some versions of the model did not have is null in their rows. Raises ``DataRefused`` for one that
        no file has, and for a damaged file.
        """
        keys = self._store.keys(f"inference/{model}")
        files = [self._store.local_path(key) for key in keys if key.endswith(".parquet") and is_data(key)]
        wanted = None if columns is None else list(dict.fromkeys([*ALWAYS, *columns]))
        if not files:
            return empty_frame("event_time", wanted or [*ALWAYS, *ALSO])
        origin = f"the inference log of {model}"
        rows = read_window(files, window, time_column="event_time", columns=wanted, origin=origin)
        return rows_in_window(
            rows, window, time_column="event_time", columns=wanted or list(rows.columns), origin=origin
        )
