"""The rows of a window: what every data source does to a frame before it hands it over."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def rows_in_window(
    frame: pd.DataFrame, window: Window, *, time_column: str, columns: Sequence[str], origin: str
) -> pd.DataFrame:
    """Rows with ``window.start <= time_column < window.end``, these columns, by time (stable), from 0.

    A time without a zone is taken as UTC; rows without a time are left out. ``origin`` names the source
    in an error. Raises ``DataRefused``.
    """
    refuse_missing_columns([time_column, *columns], list(frame.columns), origin)
    times = _utc_times(frame[time_column], time_column, origin)
    inside = (times >= window.start) & (times < window.end)
    rows = frame.loc[:, list(columns)]
    if time_column in columns:
        rows = rows.assign(**{time_column: times})
    order = times[inside].reset_index(drop=True).sort_values(kind="stable").index
    return rows[inside].iloc[order].reset_index(drop=True)


def refuse_missing_columns(wanted: Sequence[str], there: Sequence[Any], origin: str) -> None:
    """Raise ``DataRefused`` that names the columns that are missing, those there are, and near names."""
    known = [str(name) for name in there]
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    if missing:
        near = {name: difflib.get_close_matches(name, known, n=1) for name in missing}
        hints = "".join(f" Is {name!r} the column {close[0]!r}?" for name, close in near.items() if close)
        raise DataRefused(
            f"{origin} has no column {', '.join(map(repr, missing))}; there are: {', '.join(known)}.{hints}"
        )


def no_time(time_column: str, kind: object, origin: str) -> DataRefused:
    """The refusal of a time column that holds something else."""
    return DataRefused(
        f"{origin}: the time column {time_column!r} holds {kind}, not times; convert it where the data is "
        f"made, as in pandas.to_datetime(frame[{time_column!r}], utc=True)"
    )


def _utc_times(times: pd.Series, time_column: str, origin: str) -> pd.Series:
    import pandas as pd

    if isinstance(times, pd.DataFrame):
        raise DataRefused(f"{origin} has the column {time_column!r} twice; drop one of them")
    if not len(times):
        return pd.Series([], index=times.index, dtype="datetime64[us, UTC]")
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        raise no_time(time_column, times.dtype, origin)
    if isinstance(times.dtype, pd.ArrowDtype):
        times = times.astype("datetime64[us, UTC]" if times.dt.tz else "datetime64[us]")
    return times.dt.tz_localize("UTC") if times.dt.tz is None else times.dt.tz_convert("UTC")
