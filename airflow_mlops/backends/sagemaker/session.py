"""From what an Airflow connection says to boto3 clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlops.backends.sagemaker.errors import is_not_yet_seen, is_refused_for, translated

_ATTEMPTS = 8
_LOOKS = 6
_BETWEEN_LOOKS_SECONDS = 5.0
_IAM_NAMES = {"sagemaker-runtime": "sagemaker"}


class Aws:
    """boto3's clients, each made at its first use, their errors in this package's words.

    botocore itself repeats what was throttled or met a server's fault, with growing pauses. What was made a
    moment ago and is not known everywhere yet is asked for again here.
    """

    def __init__(self, access: Mapping[str, Any], sleep: Callable[[float], None]) -> None:
        self._access = access
        self._sleep = sleep
        self._clients: dict[str, Any] = {}
        self._session: Any = None

    def client(self, service: str) -> Any:
        """A boto3 client; for who wants to look at it or to hook into it."""
        if service not in self._clients:
            from botocore.config import Config

            self._session = self._session or session(self._access)
            self._clients[service] = self._session.client(
                service,
                endpoint_url=_url(self._access, service),
                verify=self._access.get("verify"),
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    connect_timeout=10,
                    read_timeout=70,  # SageMaker lets a model answer for 60 seconds
                    user_agent_extra="airflow-mlops",
                ),
            )
        return self._clients[service]

    def call(self, service: str, operation: str, **told: Any) -> Any:
        """AWS's answer. Raises errors of this package."""
        return self._ask(service, operation, None, told)

    def call_unless(self, expected: str, service: str, operation: str, **told: Any) -> Any:
        """As ``call``, but None for a refusal in the words ``expected``: it is there, it is not there."""
        return self._ask(service, operation, expected, told)

    def _ask(self, service: str, operation: str, expected: str | None, told: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        ask = getattr(self.client(service), operation)
        name = "".join(part.capitalize() for part in operation.split("_"))
        said = f"{_IAM_NAMES.get(service, service)}:{name}"
        for look in range(_LOOKS):
            try:
                return ask(**told)
            except (BotoCoreError, ClientError) as error:
                if expected is not None and is_refused_for(error, expected):
                    return None
                last = look == _LOOKS - 1
                if last or not operation.startswith(("create", "update")) or not is_not_yet_seen(error):
                    raise translated(error, said) from error
                self._sleep(_BETWEEN_LOOKS_SECONDS)
        raise AssertionError("the last look returns or raises")


def session(access: Mapping[str, Any]) -> Any:
    """A boto3 session by keys, by a profile, by a role that is assumed anew before it expires, or by what
    the process's environment offers."""
    import boto3
    import botocore.session

    plain = botocore.session.Session(profile=access.get("profile"))
    if access.get("access_key"):
        plain.set_credentials(access["access_key"], access["secret_key"], access.get("session_token"))
    if not access.get("role_arn"):
        return boto3.Session(botocore_session=plain, region_name=access.get("region"))
    assumed = botocore.session.Session()
    assumed.get_component("credential_provider").insert_before("env", _assumed(plain, access))
    return boto3.Session(botocore_session=assumed, region_name=access.get("region"))


def _assumed(plain: Any, access: Mapping[str, Any]) -> Any:
    from botocore.credentials import AssumeRoleCredentialFetcher, CredentialProvider
    from botocore.credentials import DeferredRefreshableCredentials as Refreshing

    def client(service: str, **told: Any) -> Any:
        told.setdefault("region_name", access.get("region"))
        return plain.create_client(service, endpoint_url=_url(access, service), **told)

    class AssumedRole(CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = "airflow-connection"

        def load(self) -> Any:
            fetcher = AssumeRoleCredentialFetcher(
                client_creator=client,
                source_credentials=plain.get_credentials(),
                role_arn=access["role_arn"],
                extra_args={"RoleSessionName": "airflow-mlops", **access.get("role_arguments", {})},
            )
            return Refreshing(refresh_using=fetcher.fetch_credentials, method="assume-role")

    return AssumedRole()


def _url(access: Mapping[str, Any], service: str) -> str | None:
    url: str | None = access.get("urls", {}).get(service) or access.get("url")
    return url
