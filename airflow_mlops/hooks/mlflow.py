"""The Airflow connection of an MLflow server."""

from __future__ import annotations

from typing import Any

import httpx
from airflow.sdk import BaseHook

from airflow_mlops.hooks.connections import address, connection


class MlflowHook(BaseHook):
    """Tracking URI and token of an MLflow server; the MLflow library itself is not imported."""

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name, wanted_by: str = "MlflowHook") -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id
        self.wanted_by = wanted_by

    def get_conn(self) -> Any:
        """The connection. Raises ``ConfigError`` with the command that adds it where there is none."""
        return connection(self.mlflow_conn_id, conn_type="mlflow", port=5000, wanted_by=self.wanted_by)

    @property
    def tracking_uri(self) -> str:
        """What ``mlflow.set_tracking_uri`` understands."""
        return address(self.get_conn())

    @property
    def token(self) -> str | None:
        """The bearer token, or None."""
        return self.get_conn().password or None

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's "Test" button: ask the server for its health."""
        uri = self.tracking_uri
        if not uri.startswith(("http://", "https://")):
            return True, f"{uri} is not a server; there is nothing to ask"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            httpx.get(f"{uri}/health", headers=headers, timeout=5).raise_for_status()
        except httpx.HTTPError as error:
            return False, f"MLflow at {uri} does not answer: {error}"
        return True, f"MLflow at {uri} is healthy"
