"""The embedded gateway as a serving target: its admin routes over HTTP, each change read back."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.core.values import Deployment, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused, RolloutRefused

# A cold model takes seconds to load, and a change answers once it is loaded.
_LOADING_SECONDS = 120.0
_TIMEOUT_SECONDS = 15.0
TLS_EXTRAS = ("ca_cert", "client_cert", "client_key")

_Read = TypeVar("_Read")


class EmbeddedTarget:
    """One gateway, which serves the one model of its endpoint.

    Every call may be repeated. Raises ``BackendUnavailable`` where the gateway is away, answers with a
    fault, or is found to serve something else than it was told; ``RolloutRefused`` for its 409 and
    ``ModelRefused`` for its 422, with its own reason. Each change is read back by a request of its own.
    """

    def __init__(self, endpoint: ServingEndpoint, *, transport: httpx.BaseTransport | None = None) -> None:
        if endpoint.url is None:
            raise ConfigError(
                "the gateway has no address; fill in the Airflow connection that deploy.target.conn_id names"
            )
        self._url = endpoint.url.rstrip("/")
        self._token = endpoint.token
        self._model = endpoint.model
        self._transport = transport
        self._verify = tls_context(endpoint.extra)

    def traffic(self) -> Traffic:
        """What the gateway is told to serve. Raises ``ModelRefused`` if it is another model's gateway."""
        return self._read(Traffic, self._call("GET", "/admin/traffic"))

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:  # noqa: ARG002 (no stage is open yet)
        """Have the gateway load the candidate. It takes seconds, which are waited for."""
        self.smoke(candidate, [])
        return Deployment(True, f"{candidate} is loaded beside the champion")

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Predict rows with the candidate, off the live path; what is not a number in a row goes as null."""
        body = {"model": candidate.name, "version": candidate.version, "rows": plain_rows(rows)}
        answer = self._call("POST", "/admin/smoke", body, seconds=_LOADING_SECONDS)
        return self._read(list[Any], answer.get("predictions"))

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """Move traffic and read it back; the gateway keeps its counters if nothing changed."""
        change = {"rollout_id": rollout_id, "mode": mode, "weight": weight}
        body = {"model": candidate.name, "version": candidate.version, **change}
        self._call("PUT", "/admin/traffic", body, seconds=_LOADING_SECONDS)
        traffic = self.traffic()
        seen = (traffic.rollout_id, _version(traffic.challenger), traffic.mode)
        as_told = seen == (rollout_id, candidate.version, mode)
        if not as_told or (mode == "canary" and not math.isclose(traffic.weight, weight)):
            raise self._otherwise(f"{mode} of {candidate} at weight {weight}", traffic)
        return traffic

    def observe(self, rollout_id: str) -> Observation:
        """What was seen in the open stage; mode ``none`` and no arms if this rollout is not open."""
        return self._read(Observation, self._call("GET", f"/admin/observations/{quote(rollout_id, safe='')}"))

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """The candidate answers every row, and no rollout is open."""
        body = {"rollout_id": rollout_id, "model": candidate.name, "version": candidate.version}
        self._call("POST", "/admin/promote", body, seconds=_LOADING_SECONDS)
        traffic = self.traffic()
        if _version(traffic.champion) != candidate.version or traffic.mode != "none":
            raise self._otherwise(f"{candidate} as champion", traffic)
        return traffic

    def roll_back(self, rollout_id: str) -> Traffic:
        """The champion answers every row. Nothing happens if this rollout is not open."""
        self._call("POST", "/admin/rollback", {"rollout_id": rollout_id})
        traffic = self.traffic()
        if traffic.rollout_id == rollout_id:
            raise self._otherwise(f"rollout {rollout_id} closed", traffic)
        return traffic

    def _call(
        self, method: str, path: str, body: Any = None, *, seconds: float = _TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        try:
            with httpx.Client(
                base_url=self._url,
                headers=headers,
                timeout=seconds,
                transport=self._transport,
                verify=self._verify,
            ) as client:
                response = client.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise BackendUnavailable(
                f"The gateway at {self._url} does not answer ({type(error).__name__}: {error}). Look whether "
                "it runs (`airflow-mlops serve`) and whether the Airflow connection has its host and port."
            ) from error
        if response.status_code != 200:
            raise self._error(response)
        return self._read(dict[str, Any], _json(response))

    def _error(self, response: httpx.Response) -> Exception:
        answer = _json(response)
        reason = answer.get("detail", answer) if isinstance(answer, dict) else response.text[:500]
        match response.status_code:
            case 409:
                return RolloutRefused(f"The gateway at {self._url} refused: {reason}")
            case 422:
                return ModelRefused(f"The gateway at {self._url} refused: {_sentence(reason)}")
            case 401 | 403:
                return BackendUnavailable(
                    f"The gateway at {self._url} refused the token. Put the gateway's token into the "
                    "password of the Airflow connection."
                )
            case code:
                return BackendUnavailable(f"The gateway at {self._url} answered {code}: {reason}")

    def _read(self, kind: type[_Read], value: Any) -> _Read:
        try:
            read = TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            raise BackendUnavailable(
                f"What answers at {self._url} is not this package's gateway, or one of another version: "
                f"{error}"
            ) from error
        if isinstance(read, Traffic):
            for model in (read.champion, read.challenger):
                if model is not None and model.name != self._model:
                    raise ModelRefused(
                        f"The gateway at {self._url} serves {model}, not {self._model}. "
                        "Point the Airflow connection at this model's gateway."
                    )
        return read

    def _otherwise(self, told: str, traffic: Traffic) -> BackendUnavailable:
        return BackendUnavailable(
            f"The gateway at {self._url} was told to serve {told}, but says: champion "
            f"{_version(traffic.champion)}, challenger {_version(traffic.challenger)}, {traffic.mode} at "
            f"weight {traffic.weight}. Somebody else may be moving its traffic; repeat the change."
        )


def tls_context(extra: Mapping[str, Any]) -> ssl.SSLContext | bool:
    """What an HTTPS call trusts and shows, by the connection's extra: ``ca_cert`` is the authority of the
    gateway's certificate (none: those that the system trusts), ``client_cert`` and ``client_key`` are what a
    gateway with ``--tls-client-ca`` asks for. All are paths of PEM files on the worker.

    Raises ``ConfigError`` for a file that cannot be read.
    """
    given = {name: str(extra[name]) for name in TLS_EXTRAS if extra.get(name)}
    if not given:
        return True
    if ("client_cert" in given) != ("client_key" in given):
        raise ConfigError("the gateway's connection needs both client_cert and client_key in its extra")
    try:
        context = ssl.create_default_context(cafile=given.get("ca_cert"))
        if "client_cert" in given:
            context.load_cert_chain(given["client_cert"], given["client_key"])
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the files of the gateway's connection ({', '.join(given.values())}) cannot be used: {error}; "
            "they must be PEM files that the worker can read"
        ) from error
    return context


def _version(model: ModelRef | None) -> str | None:
    return None if model is None else model.version


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _sentence(reason: Any) -> str:
    if not isinstance(reason, list):
        return str(reason)
    return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in reason)
