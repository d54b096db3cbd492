"""Collect: freeze what the endpoint was asked and answered in the run's window."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.windows import Period, resolve_window
from airflow_mlops.steps.collected_key import collected_key
from airflow_mlops.steps.judged_rows import judged_rows
from airflow_mlops.steps.requests import Collected, CollectRequest
from airflow_mlops.steps.silence import note_silence


class _NothingAsked(Exception):
    """Leaves the block that writes the object, which then is not there."""


def collect(request: CollectRequest, backends: Backends) -> Collected | None:
    """Keep the window's answers (shadow answers left out: nobody saw them) as one Parquet object, which is
    written a piece at a time: a window may be larger than memory. See ``judged_rows`` for what of it is held
    against the champion's reference.

    None where there is no champion, or nothing was asked in the window; where much was asked before, that is
    written down.
    """
    config, run = request.config, request.run
    window = resolve_window(run.sources, Period.parse(config.monitor.window))
    champion = backends.tracking.alias(config.model, "champion")
    if champion is None:
        return None
    key = collected_key(config.model, window)
    try:
        with backends.store.exclusive(key), backends.store.writing(key) as file:
            rows = backends.inference_log.keep_answers(config.model, window, file)
            if not rows:
                raise _NothingAsked
    except _NothingAsked:
        if run.kind != "backfill":
            note_silence(config, run, Collected(window=window, uri="", rows=0, champion=champion), backends)
        return None
    uri = backends.store.uri(key)
    judged = judged_rows(config, window, uri, champion, backends)
    return Collected(window=window, uri=uri, rows=rows, champion=champion, judged=judged)
