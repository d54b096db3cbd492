"""The wait for an alias of a registered model to move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable, MlopsError
from airflow_mlops.hooks.backends import connect_tracking
from airflow_mlops.triggers.events import Trigger, error_event, event


def alias_of(model: str, alias: str, conn_id: str) -> ModelRef | None:
    """The version that an alias points to now. Raises ``BackendUnavailable``."""
    return connect_tracking(conn_id).alias(model, alias)


def moved(found: ModelRef | None, moved_from: str | None, version: str | None) -> dict[str, Any] | None:
    """The decision that sensor and trigger share: where the alias is now, in JSON values, if that is news.
    An alias that was dropped is not: it points to no version that one could go on with."""
    if found is None or (version is not None and found.version != version):
        return None
    if version is None and found.version == moved_from:
        return None
    return {"name": found.name, "version": found.version, "url": found.url, "moved_from": moved_from}


class ModelVersionTrigger(Trigger):
    """Looks at MLflow from the triggerer until an alias has moved."""

    arguments = ("model", "alias", "conn_id", "moved_from", "version", "poll_interval")

    def __init__(
        self,
        *,
        model: str,
        alias: str,
        conn_id: str,
        moved_from: str | None,
        version: str | None,
        poll_interval: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.alias = alias
        self.conn_id = conn_id
        self.moved_from = moved_from
        self.version = version
        self.poll_interval = poll_interval

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"found": ...}``, or ``{"error": ..., "retry": ...}``. An MLflow that is away is asked
        again: the sensor's own timeout bounds the wait."""
        found: Mapping[str, Any] | None = None
        while found is None:
            await asyncio.sleep(self.poll_interval)
            try:
                now = await asyncio.to_thread(alias_of, self.model, self.alias, self.conn_id)
                found = moved(now, self.moved_from, self.version)
            except BackendUnavailable as error:
                self.log.warning("MLflow cannot be asked: %s", error)
            except MlopsError as error:
                yield error_event(error)
                return
        yield event({"found": dict(found)})
