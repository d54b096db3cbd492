"""A sensor on MLflow's registry."""

from __future__ import annotations

from typing import Any

from airflow_mlops.sensors.waiting import ModelSensor
from airflow_mlops.triggers.model_version import ModelVersionTrigger, alias_of, moved


class ModelVersionSensor(ModelSensor):
    """Waits until an alias of a registered model has moved, whoever moved it; the version goes to XCom.

    ``moved_from`` is the version that is no news; without it, the one that the alias has at the first look.
    With ``version`` it waits until the alias is there, and it may be there already. ``mlflow_conn_id`` is
    that of the model's YAML where ``model`` is more than a name.
    """

    template_fields = ("moved_from", "version")

    def __init__(
        self,
        *,
        alias: str = "champion",
        version: str | None = None,
        moved_from: str | None = None,
        mlflow_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.reschedule and not self.deferrable and version is None and moved_from is None:
            raise ValueError(
                "in mode reschedule each look is a process of its own, which does not know what the first "
                "one saw: give moved_from or version, or leave deferrable on"
            )
        self.alias = alias
        self.version = version
        self.moved_from = moved_from
        self.mlflow_conn_id = mlflow_conn_id
        self._looked = False

    def look(self, context: Any) -> dict[str, Any] | None:  # noqa: ARG002
        now = alias_of(self.name(), self.alias, self._conn_id())
        if self.moved_from is None and self.version is None and not self._looked:
            self.moved_from = now.version if now is not None else None
        self._looked = True
        return moved(now, self.moved_from, self.version)

    def trigger(self, context: Any) -> ModelVersionTrigger:  # noqa: ARG002
        return ModelVersionTrigger(
            model=self.name(),
            alias=self.alias,
            conn_id=self._conn_id(),
            moved_from=self.moved_from,
            version=self.version,
            poll_interval=float(self.poke_interval),
        )

    def _conn_id(self) -> str:
        if self.mlflow_conn_id is not None:
            return self.mlflow_conn_id
        config = self.config()
        return config.tracking.conn_id if config is not None else "mlflow_default"
