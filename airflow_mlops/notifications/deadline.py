"""What the triggerer calls when a run is not over in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlops.core.windows import Period
from airflow_mlops.hooks.pages import run_url
from airflow_mlops.notifications.catalog import notifier

log = logging.getLogger(__name__)


async def tell(
    *, alerts: Sequence[Mapping[str, Any]], owner: str, limit_seconds: int, context: Mapping[str, Any]
) -> str:
    """Tell everybody in ``alerts``; whom it cannot reach does not keep the others from being told. Raises the
    first error at the end, so that Airflow marks the callback as failed.
    """
    run = context["dag_run"]
    url = run_url(run["dag_id"], run["dag_run_id"])
    limit = Period(seconds=limit_seconds)
    line = f"{run['dag_id']}: run {run['dag_run_id']} is not over after {limit}. Page: {url}"
    failed: list[Exception] = []
    for alert in alerts:
        try:
            # In a thread: not every notifier has an asynchronous side, and the triggerer's loop must go on.
            await asyncio.to_thread(notifier(alert, line, owner=owner), {**context, "url": url})
        except Exception as error:
            log.exception("Cannot tell %s by connection %s", alert["type"], alert["conn_id"])
            failed.append(error)
    if failed:
        raise failed[0]
    return line
