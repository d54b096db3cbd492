"""Rows from a function of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.row_window import rows_in_window
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import BackendUnavailable, DataRefused, MlopsError

if TYPE_CHECKING:
    import pandas as pd


class PythonSource:
    """Calls ``load(start=..., end=..., **params)``, both aware datetimes in UTC, for a DataFrame.

    The function may return more rows and columns than were asked for: the window is cut here, so that no
    function can leak rows of the future into training.
    """

    def __init__(self, path: str, params: Mapping[str, Any]) -> None:
        self._path = path
        self._params = dict(params)

    def read(self, window: Window, *, time_column: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of the window. Raises ``DataRefused`` with the function's own error as its cause, and
        ``BackendUnavailable`` (a retry can help) for a connection that failed or timed out."""
        frame = self._call(window)
        return rows_in_window(
            frame, window, time_column=time_column, columns=columns, origin=f"what {self._path} returned"
        )

    def _call(self, window: Window) -> pd.DataFrame:
        import pandas as pd

        load = load_object(self._path)
        try:
            frame = load(start=window.start, end=window.end, **self._params)
        except MlopsError:
            raise
        except (ConnectionError, TimeoutError) as error:
            raise BackendUnavailable(f"{self._said(error)}; is the service behind it up?") from error
        except Exception as error:  # the function may raise anything; its error is kept as the cause
            raise DataRefused(f"{self._said(error)}; it is called for rows in {window}") from error
        if not isinstance(frame, pd.DataFrame):
            raise DataRefused(
                f"{self._path} returned {type(frame).__name__}; return a pandas DataFrame (an empty one with "
                "its columns where there are no rows)"
            )
        return frame

    def _said(self, error: Exception) -> str:
        call = ", ".join(["start", "end", *self._params])
        return f"{self._path}({call}) raised {type(error).__name__}: {error}"
