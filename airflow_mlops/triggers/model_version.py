"""The wait for an alias of a registered model to move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.core.values import ModelRef
from airflow_mlops.hooks.backends import connect_tracking
from airflow_mlops.triggers.events import LookingTrigger


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


class ModelVersionTrigger(LookingTrigger):
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

    def _look(self) -> Mapping[str, Any] | None:
        return moved(alias_of(self.model, self.alias, self.conn_id), self.moved_from, self.version)
