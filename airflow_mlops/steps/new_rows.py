"""New rows: how many labelled rows a model has not been trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends, ChunkedSource
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.causes import CauseEvent, Taker
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Period, Window

if TYPE_CHECKING:
    import pandas as pd

_PIECE_ROWS = 500_000


def new_rows(
    config: ModelConfig, entries: Iterable[Entry], taker: Taker, minimum: int, backends: Backends
) -> CauseEvent | None:
    """New data is a cause once there are ``minimum`` rows with a label, of later event time than any training
    and whatever this consumer took before; None while there are fewer.

    Rows are counted piece by piece, time and label only. One that arrives late, with an event time before
    that, is not counted: a training takes it along.
    """
    now = taker.at
    start = _since(entries, taker, config, now)
    if start >= now:
        return None
    rows, latest = 0, start
    for labelled in _times(config, Window(start, now), backends):
        rows += len(labelled)
        latest = max(latest, labelled.max().to_pydatetime(warn=False)) if len(labelled) else latest
    if rows < max(minimum, 1):
        return None
    window = Window(start, latest + timedelta.resolution)
    return CauseEvent(
        model=config.model,
        cause="new_data",
        subject=f"new data since {start.isoformat()}",
        at=now,
        window=window,
        scores={"rows": float(rows)},
        reasons=(f"{rows} labelled rows since {start.isoformat(timespec='minutes')}, {minimum} asked for",),
    )


def _since(entries: Iterable[Entry], taker: Taker, config: ModelConfig, now: datetime) -> datetime:
    """From where on rows are new: nobody has trained on them, and this consumer has not taken them."""
    ends = [entry.window.end for entry in entries if entry.window is not None and _has_seen(entry, taker)]
    window = config.data.window
    return max(ends, default=window.start or Period.parse(window.length or "1 day").before(now))


def _has_seen(entry: Entry, taker: Taker) -> bool:
    if entry.kind in ("gated", "registered"):
        return True
    is_ours = (entry.data.get("cause"), entry.data.get("consumer")) == ("new_data", taker.consumer)
    return entry.kind == "cause_taken" and is_ours


def _times(config: ModelConfig, window: Window, backends: Backends) -> Iterator[pd.Series]:
    """The event times of rows with a label, in UTC."""
    data = config.data
    source = backends.data_source(data.source.type, data.source.model_dump(exclude={"type"}))
    columns = [data.time_column, data.label]
    if isinstance(source, ChunkedSource):
        pieces: Iterable[pd.DataFrame] = source.read_chunks(
            window, time_column=data.time_column, columns=columns, rows=_PIECE_ROWS
        )
    else:
        pieces = [source.read(window, time_column=data.time_column, columns=columns)]
    for piece in pieces:
        yield piece.loc[piece[data.label].notna(), data.time_column]
