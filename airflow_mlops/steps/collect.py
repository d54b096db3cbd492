"""Collect: freeze what the endpoint was asked and answered in the run's window."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.windows import Period, Window, resolve_window
from airflow_mlops.steps.requests import Collected, CollectRequest


def collect(request: CollectRequest, backends: Backends) -> Collected | None:
    """Keep the window's answers (shadow answers left out: nobody saw them) as one Parquet object.

    None where there is no champion, or nothing was asked in the window.
    """
    config, run = request.config, request.run
    window = resolve_window(run.sources, Period.parse(config.monitor.window))
    champion = backends.tracking.alias(config.model, "champion")
    if champion is None:
        return None
    rows = backends.inference_log.read(config.model, window)
    rows = rows[(rows["role"] != "shadow") & rows["error"].isna()]
    if not len(rows):
        return None
    uri = backends.datasets.save_frame(collected_key(config.model, window), rows)
    return Collected(window=window, uri=uri, rows=len(rows), champion=champion)


def collected_key(model: str, window: Window) -> str:
    """Where the answers of a window are kept in the store."""
    start, end = (moment.strftime("%Y%m%dT%H%M%S") for moment in (window.start, window.end))
    return f"collected/{model}/{start}-{end}.parquet"
