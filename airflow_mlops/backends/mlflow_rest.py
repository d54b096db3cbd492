"""MLflow's REST API, spoken directly: a look-up costs a few milliseconds, importing mlflow over a second.

What only reads is asked again while the server is away, within ``BUDGET_SECONDS``. What changes something is
sent once; it is sent again only if the connection was never made, so nothing can happen twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from airflow_mlops.exceptions import BackendUnavailable, TrackingRefused

BUDGET_SECONDS = 15.0
PAUSES_SECONDS = (0.3, 0.9)
CONNECT_SECONDS = 4.0
READ_SECONDS = 10.0
TRANSFER_SECONDS = 120.0

_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_WORTH_ANOTHER_TRY = frozenset({408, 429})


class MlflowAnswer(TrackingRefused):
    """MLflow answered with a 4xx. ``code`` is its error code, such as ``RESOURCE_DOES_NOT_EXIST``."""

    def __init__(self, message: str, code: str, detail: str) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail

    @property
    def is_missing(self) -> bool:
        return self.code == "RESOURCE_DOES_NOT_EXIST"


def version_page(uri: str, model: str, version: str) -> str:
    """A version's page in MLflow's UI; nothing where ``uri`` is not a server's address."""
    if not uri.startswith(("http://", "https://")):
        return ""
    return f"{_shown(uri.rstrip('/'))}/#/models/{quote(model)}/versions/{version}"


class MlflowRest:
    """One MLflow server. Safe to share between threads; connects at the first call."""

    def __init__(self, uri: str, token: str | None = None) -> None:
        self._uri = uri.rstrip("/")
        self._token = token

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Ask for something."""
        return _json(self._asked("GET", _API + path, params=params), self.shown_uri)

    def search(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for something where MLflow wants a POST."""
        return _json(self._asked("POST", _API + path, json=dict(body)), self.shown_uri)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change something."""
        return _json(self._sent(method, _API + path, json=dict(body)), self.shown_uri)

    def read_artifact(self, path: str) -> bytes:
        """A file behind the server's artifact proxy. Raises ``KeyError`` if there is none."""
        try:
            return self._asked("GET", _ARTIFACTS + quote(path), read_seconds=TRANSFER_SECONDS).content
        except MlflowAnswer as error:
            if error.is_missing:
                raise KeyError(path) from error
            raise

    def write_artifact(self, path: str, body: bytes) -> None:
        """Put a file behind the server's artifact proxy, replacing what was there."""
        self._sent("PUT", _ARTIFACTS + quote(path), content=body, read_seconds=TRANSFER_SECONDS)

    @cached_property
    def shown_uri(self) -> str:
        """The server's address without the user and password it may hold."""
        return _shown(self._uri)

    @cached_property
    def _client(self) -> httpx.Client:
        parts = urlsplit(self._uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TrackingRefused(
                f"{self.shown_uri!r} is not the address of an MLflow server. Models are tracked through a "
                "server only: give the Airflow connection mlflow_default a host such as http://mlflow:5000."
            )
        if self._token:
            return httpx.Client(headers={"Authorization": f"Bearer {self._token}"})
        person = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return httpx.Client(auth=person)

    def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send what may be sent twice, until it is answered or the budget is spent."""
        deadline = time.monotonic() + BUDGET_SECONDS
        for pause in PAUSES_SECONDS:
            try:
                return self._once(method, path, deadline, **request)
            except BackendUnavailable:
                if time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause)
        return self._once(method, path, deadline, **request)

    def _sent(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send what may be sent once, again only where the connection could not be made."""
        deadline = time.monotonic() + BUDGET_SECONDS
        for pause in PAUSES_SECONDS:
            try:
                return self._once(method, path, deadline, **request)
            except BackendUnavailable as error:
                unsent = isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
                if not unsent or time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause)
        return self._once(method, path, deadline, **request)

    def _once(
        self, method: str, path: str, deadline: float, *, read_seconds: float | None = None, **request: Any
    ) -> httpx.Response:
        left = max(deadline - time.monotonic(), 0.1)
        timeout = httpx.Timeout(read_seconds or min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left))
        try:
            response = self._client.request(method, self.shown_uri + path, timeout=timeout, **request)
        except httpx.TransportError as error:
            raise BackendUnavailable(
                f"MLflow at {self.shown_uri} does not answer ({_cause(error)}). {self._next_step()}"
            ) from error
        if response.status_code >= 500 or response.status_code in _WORTH_ANOTHER_TRY:
            raise BackendUnavailable(
                f"MLflow at {self.shown_uri} failed: {method} {path} was answered with "
                f"{response.status_code}: {_detail(response)[1]}. Look into the server's log."
            )
        if not response.is_success:
            raise _refusal(response, self.shown_uri, f"{method} {path}")
        return response

    def _next_step(self) -> str:
        parts = urlsplit(self._uri)
        return (
            f"Start it with `mlflow server --host {parts.hostname} --port {parts.port or 5000}`, or correct "
            "the Airflow connection mlflow_default."
        )


def _cause(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def _detail(response: httpx.Response) -> tuple[str, str]:
    """MLflow's error code and the first line of its message; what is not MLflow's has no code."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {"message": response.text or response.reason_phrase}
    lines = str(answer.get("message", "")).strip().splitlines() or ["no reason given"]
    return str(answer.get("error_code", "")), lines[0][:300].rstrip(".")


def _refusal(response: httpx.Response, uri: str, request: str) -> MlflowAnswer:
    code, detail = _detail(response)
    if response.status_code in {401, 403}:
        hint = (
            "Give the server `--allowed-hosts` with this host's name."
            if "host header" in detail.lower()
            else "Correct the password (the token) of the Airflow connection mlflow_default."
        )
        message = f"MLflow at {uri} refuses access ({response.status_code}: {detail}). {hint}"
    elif not code:
        message = (
            f"{uri} answered {request} with {response.status_code}, but not as an MLflow server would. "
            "Correct the host, port and schema of the Airflow connection mlflow_default."
        )
    else:
        message = f"MLflow at {uri} refused {request}: {detail} ({code})"
    return MlflowAnswer(message, code, detail)


def _json(response: httpx.Response, uri: str) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise TrackingRefused(
            f"{uri} answers, but not as an MLflow server would. "
            "Correct the host, port and schema of the Airflow connection mlflow_default."
        )
    return answer


def _shown(uri: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
