"""The Airflow connection of a model gateway."""

from __future__ import annotations

from typing import Any

import httpx
from airflow.sdk import BaseHook

from airflow_mlops.backends.serving_embedded import TLS_EXTRAS, tls_context
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.connections import address, connection


class GatewayHook(BaseHook):
    """Address, admin token and certificates of a model gateway."""

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

    @property
    def extra(self) -> dict[str, Any]:
        """The PEM files of HTTPS calls: ``ca_cert``, ``client_cert``, ``client_key``."""
        extra = self.get_conn().extra_dejson
        if unknown := sorted(set(extra) - set(TLS_EXTRAS)):
            raise ConfigError(
                f"connection {self.gateway_conn_id!r} has {', '.join(unknown)} in its extra; a gateway's "
                f"takes {', '.join(TLS_EXTRAS)}"
            )
        return dict(extra)

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's "Test" button: an admin call, so that a wrong token shows as well."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            verify = tls_context(self.extra)
            answer = httpx.get(f"{self.url}/admin/traffic", headers=headers, timeout=5, verify=verify)
        except (httpx.HTTPError, ConfigError) as error:
            return False, f"the gateway at {self.url} does not answer: {error}"
        if answer.status_code in (401, 403):
            return (
                False,
                f"the gateway at {self.url} refuses the token; put its --token into the password field",
            )
        if answer.is_error:
            return False, f"the gateway at {self.url} answers {answer.status_code}: {answer.text[:200]}"
        return True, f"the gateway at {self.url} answers"
