"""The Airflow connection of a model gateway."""

from __future__ import annotations

from typing import Any

import httpx
from airflow.sdk import BaseHook

from airflow_mlops.hooks.connections import address, connection


class GatewayHook(BaseHook):
    """Address and admin token of a model gateway."""

    conn_name_attr = "gateway_conn_id"
    default_conn_name = "mlops_gateway_default"
    conn_type = "mlops_gateway"
    hook_name = "MLOps model gateway"

    def __init__(self, gateway_conn_id: str = default_conn_name, wanted_by: str = "GatewayHook") -> None:
        super().__init__()
        self.gateway_conn_id = gateway_conn_id
        self.wanted_by = wanted_by

    def get_conn(self) -> Any:
        """The connection. Raises ``ConfigError`` with the command that adds it where there is none."""
        return connection(
            self.gateway_conn_id, conn_type="mlops_gateway", port=8800, wanted_by=self.wanted_by
        )

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return address(self.get_conn())

    @property
    def token(self) -> str | None:
        """The bearer token of the admin calls, or None."""
        return self.get_conn().password or None

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's "Test" button: an admin call, so that a wrong token shows as well."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = httpx.get(f"{self.url}/admin/traffic", headers=headers, timeout=5)
        except httpx.HTTPError as error:
            return False, f"the gateway at {self.url} does not answer: {error}"
        if answer.status_code in (401, 403):
            return (
                False,
                f"the gateway at {self.url} refuses the token; put its --token into the password field",
            )
        if answer.is_error:
            return False, f"the gateway at {self.url} answers {answer.status_code}: {answer.text[:200]}"
        return True, f"the gateway at {self.url} answers"
