"""How many rows a window has beside what is usual, and how fresh they are."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.drift.arrivals import freshness, volume
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.steps.requests import CollectedRequest


def arrivals(
    request: CollectedRequest, newest: datetime | None, reference_uri: str, backends: Backends
) -> dict[str, Any]:
    """``volume``, ``freshness`` and ``warnings`` of a report's summary. They say nothing about drift: a feed
    that has dried up is no reason to retrain."""
    settings, window = request.config.monitor.drift, request.collected.window
    if settings.volume.against == "reference":
        known = backends.datasets.extent(reference_uri)
        before = [] if known is None else [known]
    else:
        before = _earlier(request, settings.volume.windows, backends)
    found = volume(
        request.collected.rows,
        window,
        before,
        minimum_ratio=settings.volume.minimum_ratio,
        maximum_ratio=settings.volume.maximum_ratio,
    )
    longest = None if settings.freshness is None else Period.parse(settings.freshness)
    aware = newest if newest is None or newest.tzinfo else newest.replace(tzinfo=timezone.utc)
    fresh = freshness(aware, window, longest)
    return {
        "volume": {"rows": found.rows, "usual": found.usual, "ratio": found.ratio, "fault": found.fault},
        "freshness": {
            "newest": None if fresh.newest is None else fresh.newest.isoformat(),
            "age_seconds": None if fresh.age is None else fresh.age.total_seconds(),
            "fault": fresh.fault,
        },
        "warnings": [fault for fault in (found.fault, fresh.fault) if fault is not None],
    }


def _earlier(request: CollectedRequest, most: int, backends: Backends) -> list[tuple[int, Window]]:
    """The rows of the last windows before this one, as the ledger has them; a window that was looked at twice
    counts once."""
    end, found = request.collected.window.end, {}
    for entry in backends.ledger.entries(request.config.model):
        if entry.kind == "monitored" and entry.window is not None and entry.window.end < end:
            found[entry.window.end] = int(entry.data.get("rows") or 0), entry.window
    return [found[moment] for moment in sorted(found)[-most:]]
