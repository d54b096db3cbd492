"""The Airflow connection of a Prometheus."""

from __future__ import annotations

import difflib
from typing import Any

from airflow.sdk import BaseHook
from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.prometheus import Prometheus
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.exceptions import ConfigError, MlopsError
from airflow_mlops.hooks.connections import address, connection

EXTRA = ("verify", "ca_file", "certificate_file", "key_file", "headers", "timeout_seconds")
"""What the connection's extra may hold, each as in ``PrometheusEndpoint``."""


class PrometheusHook(BaseHook):
    """Address and login of a Prometheus, or of another program that answers its queries.

    A password without a login is a bearer token; with one, the two are for basic auth.
    """

    conn_name_attr = "prometheus_conn_id"
    default_conn_name = "prometheus_default"
    conn_type = "prometheus"
    hook_name = "Prometheus"

    def __init__(
        self, prometheus_conn_id: str = default_conn_name, wanted_by: str = "PrometheusHook"
    ) -> None:
        super().__init__()
        self.prometheus_conn_id = prometheus_conn_id
        self.wanted_by = wanted_by

    def get_conn(self) -> Any:
        """The connection. Raises ``ConfigError`` with the command that adds it where there is none."""
        return connection(
            self.prometheus_conn_id, conn_type="prometheus", port=9090, wanted_by=self.wanted_by
        )

    @property
    def endpoint(self) -> PrometheusEndpoint:
        """What a client needs. Raises ``ConfigError`` for an extra that is not one of ``EXTRA``."""
        found = self.get_conn()
        extra, login, password = found.extra_dejson, found.login or None, found.password or None
        for name in extra:
            if name not in EXTRA:
                near = difflib.get_close_matches(name, EXTRA, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(EXTRA)}"
                raise ConfigError(f"connection {found.conn_id!r} has an unknown extra {name!r}{hint}")
        said = {
            "url": address(found),
            "token": password if login is None else None,
            "login": login,
            "password": password if login is not None else None,
            **extra,
        }
        try:
            return TypeAdapter(PrometheusEndpoint).validate_python(said)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigError(f"the extra of connection {found.conn_id!r} is wrong: {wrong}") from error

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's "Test" button: a query, so that a wrong login shows as well."""
        endpoint = self.endpoint
        try:
            Prometheus(endpoint).value("vector(1)")
        except MlopsError as error:
            return False, str(error)
        return True, f"Prometheus at {endpoint.url} answers"
