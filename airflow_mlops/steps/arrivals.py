"""How many rows a window has beside what is usual, and how fresh they are."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.drift.arrivals import freshness, volume
from airflow_mlops.core.windows import Period
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.usual_rows import thin_window, usual_rows


def arrivals(
    request: CollectedRequest, newest: datetime | None, reference_uri: str, backends: Backends
) -> dict[str, Any]:
    """``volume``, ``freshness`` and ``warnings`` of a report's summary. They say nothing about drift: a feed
    that has dried up is no reason to retrain. A number of rows that is an upstream fault is warned of here as
    well, whatever the bounds."""
    config, collected = request.config, request.collected
    settings, window = config.monitor.drift, collected.window
    usual = usual_rows(config, collected, backends)
    before = [(one.rows, one.window) for one in usual.windows]
    if settings.volume.against == "reference":
        known = backends.datasets.extent(reference_uri)
        before = [] if known is None else [known]
    found = volume(
        collected.rows,
        window,
        before,
        minimum_ratio=settings.volume.minimum_ratio,
        maximum_ratio=settings.volume.maximum_ratio,
    )
    broken = thin_window(config, collected, usual)
    fault = found.fault or (None if broken is None else str(broken))
    level = None if usual.new is None else str(usual.new)
    longest = None if settings.freshness is None else Period.parse(settings.freshness)
    aware = newest if newest is None or newest.tzinfo else newest.replace(tzinfo=timezone.utc)
    fresh = freshness(aware, window, longest)
    return {
        "volume": {
            "rows": found.rows,
            "usual": found.usual,
            "ratio": found.ratio,
            "fault": fault,
            "new_level": level,
        },
        "freshness": {
            "newest": None if fresh.newest is None else fresh.newest.isoformat(),
            "age_seconds": None if fresh.age is None else fresh.age.total_seconds(),
            "fault": fresh.fault,
        },
        "warnings": [said for said in (fault, level, fresh.fault) if said is not None],
    }
