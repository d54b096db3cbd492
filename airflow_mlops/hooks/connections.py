"""Reads an Airflow connection, and says how to add the one that is missing."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_mlops.exceptions import ConfigError


def connection(conn_id: str, *, conn_type: str, port: int, wanted_by: str) -> Any:
    """An Airflow connection to an HTTP server. ``port`` is what the command of ``found`` suggests."""
    said = f"--conn-schema http --conn-host 127.0.0.1 --conn-port {port}"
    return found(conn_id, conn_type=conn_type, wanted_by=wanted_by, said=said)


def found(conn_id: str, *, conn_type: str, wanted_by: str, said: str = "") -> Any:
    """An Airflow connection. Raises ``ConfigError`` with the command that adds it where there is none.

    ``wanted_by`` names the setting that asked for the connection; ``said`` are the command's options.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigError(
            f"Airflow has no connection {conn_id!r} ({wanted_by}). Add it with: "
            f"airflow connections add {conn_id} --conn-type {conn_type} {said}".rstrip()
        ) from error


def address(connection: Any) -> str:
    """The base URL of a connection, without a trailing slash.

    A host with a scheme (``https://mlflow.example.com``, ``sqlite:////data/mlflow.db``) is taken as it is,
    else scheme, host and port are put together. Raises ``ConfigError`` where there is no host.
    """
    host = (connection.host or "").rstrip("/")
    if not host:
        raise ConfigError(
            f"connection {connection.conn_id!r} has no host; set one under Admin > Connections "
            "or add it again with --conn-host"
        )
    port = f":{connection.port}" if connection.port else ""
    if "://" in host:
        return f"{host}{port}"
    return f"{connection.schema or 'http'}://{host}{port}"
