"""Rows from a function of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.chunks import parts
from airflow_mlops.backends.import_path import load_object
from airflow_mlops.backends.row_window import rows_in_window
from airflow_mlops.backends.user_code import user_code
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


class PythonSource:
    """Calls ``load(start=..., end=..., **params)``, both aware datetimes in UTC, for a DataFrame, or for
    several that it yields one after the other.

    The function may return more rows and columns than were asked for: the window is cut here, so that no
    function can leak rows of the future into training.
    """

    def __init__(self, path: str, params: Mapping[str, Any]) -> None:
        self._path = path
        self._params = dict(params)

    def read(self, window: Window, *, time_column: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of the window. Raises ``DataRefused`` with the function's own error as its cause, and
        ``BackendUnavailable`` (a retry can help) where a service was away."""
        import pandas as pd

        first, *more = self._frames(window)
        frame = pd.concat([first, *more], ignore_index=True) if more else first
        return rows_in_window(
            frame, window, time_column=time_column, columns=columns, origin=f"what {self._path} returned"
        )

    def read_chunks(
        self,
        window: Window,
        *,
        time_column: str,
        columns: Sequence[str],
        rows: int,  # noqa: ARG002 (the function decides, or the caller cuts)
        period: Period | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Rows of the window as the function yields them; one that returns whole frames is asked for a
        period at a time. Raises what ``read`` raises."""
        origin = f"what {self._path} returned"
        for part in parts(window, period):
            for frame in self._frames(part):
                yield rows_in_window(frame, part, time_column=time_column, columns=columns, origin=origin)

    def _frames(self, window: Window) -> Iterator[pd.DataFrame]:
        """What the function returns, or yields; a function may raise at its first frame or at its last."""
        import pandas as pd

        load, found = load_object(self._path), 0
        call = f"{self._path}({', '.join(['start', 'end', *self._params])})"
        with user_code(call, lambda said: DataRefused(f"{said}; it is called for rows in {window}")):
            given = load(start=window.start, end=window.end, **self._params)
            for frame in given if isinstance(given, Iterator) else [given]:
                if not isinstance(frame, pd.DataFrame):
                    raise DataRefused(
                        f"{self._path} returned {type(frame).__name__}; return a pandas DataFrame (an empty "
                        "one with its columns where there are no rows), or yield several"
                    )
                found += 1
                yield frame
        if not found:
            raise DataRefused(f"{self._path} yielded nothing; yield an empty DataFrame with its columns")
