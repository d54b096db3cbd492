"""Where the answers of a monitored window are kept in the store."""

from __future__ import annotations

from airflow_mlops.core.windows import Window


def collected_key(model: str, window: Window) -> str:
    """All that somebody saw."""
    return f"{_beginning(model, window)}.parquet"


def judged_key(model: str, window: Window) -> str:
    """Those that quality and drift read, where that is not all."""
    return f"{_beginning(model, window)}.judged.parquet"


def _beginning(model: str, window: Window) -> str:
    start, end = (moment.strftime("%Y%m%dT%H%M%S") for moment in (window.start, window.end))
    return f"collected/{model}/{start}-{end}"
