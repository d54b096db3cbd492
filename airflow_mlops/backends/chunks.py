"""Rows of a window piece by piece, from every kind of source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import ChunkedSource, DataSource
from airflow_mlops.core.windows import Period, Window

if TYPE_CHECKING:
    import pandas as pd


def read_chunks(
    source: DataSource,
    window: Window,
    *,
    time_column: str,
    columns: Sequence[str],
    rows: int,
    period: Period | None = None,
) -> Iterator[pd.DataFrame]:
    """The rows of the window in frames of at most ``rows``, in any order; at least one frame, if an empty
    one.

    A source that knows no pieces is asked for ``period`` at a time, or for the whole window. Raises what the
    source raises.
    """
    if isinstance(source, ChunkedSource):
        frames = source.read_chunks(
            window, time_column=time_column, columns=columns, rows=rows, period=period
        )
    else:
        frames = (
            source.read(part, time_column=time_column, columns=columns) for part in parts(window, period)
        )
    for frame in frames:
        yield from sliced(frame, rows)


def parts(window: Window, period: Period | None) -> Iterator[Window]:
    """The window in stretches of a period, the last one as long as what is left."""
    start = window.start
    while start < window.end:
        end = window.end if period is None else min(period.after(start), window.end)
        yield Window(start, end)
        start = end


def sliced(frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    """The frame in pieces of at most so many rows, each numbered from 0."""
    if len(frame) <= rows:
        yield frame
        return
    for start in range(0, len(frame), rows):
        yield frame.iloc[start : start + rows].reset_index(drop=True)
