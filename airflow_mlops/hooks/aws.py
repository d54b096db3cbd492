"""From an Airflow connection of type ``aws`` to what boto3 is told."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.connections import found

_OPTIONS = """--conn-extra '{"region_name": "eu-west-1"}'"""


def aws_access(conn_id: str | None, *, region: str | None, wanted_by: str) -> dict[str, Any]:
    """Keys, role, region and addresses, as JSON values: they travel to other processes.

    The connection is read as Amazon's provider reads it, which need not be installed: keys in login and
    password or in the extra, ``aws_session_token``, ``profile_name``, ``region_name``, ``role_arn`` with
    ``external_id`` and ``assume_role_kwargs``, ``endpoint_url`` and ``service_config``, ``verify``. A role is
    assumed by boto3 itself, anew before it expires. What only the provider can do (a role by SAML or a web
    identity) it does, and its temporary keys are passed on; they last as long as that session.

    Without a connection (None) boto3 looks at its environment. Raises ``ConfigError`` with the command that
    adds a missing connection, and where the provider is missing for what the connection asks.
    """
    if conn_id is None:
        return {"region": region} if region else {}
    connection = found(conn_id, conn_type="aws", wanted_by=wanted_by, said=_OPTIONS)
    extra: Mapping[str, Any] = connection.extra_dejson
    session: Mapping[str, Any] = extra.get("session_kwargs") or {}
    told: dict[str, Any] = {
        "region": region or extra.get("region_name") or session.get("region_name"),
        "access_key": connection.login or extra.get("aws_access_key_id"),
        "secret_key": connection.password or extra.get("aws_secret_access_key"),
        "session_token": extra.get("aws_session_token"),
        "profile": extra.get("profile_name") or session.get("profile_name"),
        "url": extra.get("endpoint_url"),
        "urls": _addresses(extra.get("service_config") or {}),
        "verify": extra.get("verify"),
    }
    if extra.get("role_arn"):
        told |= _role(conn_id, extra, told["region"])
    return {key: value for key, value in told.items() if value not in (None, "", {})}


def _addresses(services: Mapping[str, Any]) -> dict[str, str]:
    """``endpoint_url`` of each service that has its own."""
    return {name: said["endpoint_url"] for name, said in services.items() if (said or {}).get("endpoint_url")}


def _role(conn_id: str, extra: Mapping[str, Any], region: str | None) -> dict[str, Any]:
    method = extra.get("assume_role_method") or "assume_role"
    if method != "assume_role":
        return _by_the_provider(conn_id, method, region)
    arguments = dict(extra.get("assume_role_kwargs") or {})
    if extra.get("external_id"):
        arguments.setdefault("ExternalId", extra["external_id"])
    return {"role_arn": extra["role_arn"], "role_arguments": arguments}


def _by_the_provider(conn_id: str, method: str, region: str | None) -> dict[str, Any]:
    if find_spec("airflow.providers") is None or find_spec("airflow.providers.amazon") is None:
        raise ConfigError(
            f"connection {conn_id!r} assumes its role by {method}, which Amazon's provider does. Install it "
            "with: pip install apache-airflow-providers-amazon"
        )
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook  # type: ignore[import-not-found]

    keys = AwsBaseHook(aws_conn_id=conn_id, client_type="sts").get_credentials(region_name=region)
    return {"access_key": keys.access_key, "secret_key": keys.secret_key, "session_token": keys.token}
