"""A small client of the Kubernetes API: objects as plain JSON, and every refusal in its own words.

Not the official client: it is 30 MB of generated models that take a second to import, and server-side
apply takes plain JSON anyway.
"""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from airflow_mlops.backends.kube.access import Access
from airflow_mlops.exceptions import BackendUnavailable, ConfigError

Object = dict[str, Any]

FIELD_MANAGER = "airflow-mlops"
_TIMEOUT_SECONDS = 15.0
_WRONG_FIELD = "failed to create typed patch object"
_APPLY, _MERGE, _JSON_PATCH = (
    f"application/{kind}"
    for kind in ("apply-patch+yaml", "merge-patch+json", "json-patch+json")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object and where the API keeps it. ``api_version`` is ``v1`` or ``group/version``."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]

    @property
    def root(self) -> str:
        """The path of the group and version."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}"

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of all objects, or of one. Without a namespace: those of every namespace."""
        place = f"/namespaces/{namespace}" if self.namespaced and namespace is not None else ""
        parts = [
            self.root + place,
            self.plural,
            *(quote(part, safe=":") for part in (name, subresource) if part),
        ]
        return "/".join(parts)

    def __str__(self) -> str:
        return self.kind


NAMESPACES = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODES = Kind("v1", "Node", "nodes", namespaced=False)
PODS = Kind("v1", "Pod", "pods")
SERVICES = Kind("v1", "Service", "services")
SECRETS = Kind("v1", "Secret", "secrets")
CONFIG_MAPS = Kind("v1", "ConfigMap", "configmaps")
DEPLOYMENTS = Kind("apps/v1", "Deployment", "deployments")
GATEWAYS = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
HTTP_ROUTES = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
CUSTOM_RESOURCES = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)  # fmt: skip


class KubeRefused(Exception):
    """The API server answers and does not do it: ``reason`` is its word (NotFound, Conflict, Invalid...),
    ``owners`` names who owns the fields of a server-side apply that conflicts."""

    def __init__(
        self, code: int, reason: str, message: str, causes: tuple[Mapping[str, Any], ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes

    @property
    def owners(self) -> tuple[str, ...]:
        """The conflicts of a server-side apply: whose field it is, and which; empty for other refusals."""
        return tuple(
            f"{cause.get('field', '?')} ({cause.get('message', '')})"
            for cause in self.causes
            if cause.get("reason") == "FieldManagerConflict"
        )


class Forbidden(BackendUnavailable):
    """Our account may not do it. A retry can help: somebody may grant the right meanwhile."""


class KubeApi:
    """One API server. Every call raises ``BackendUnavailable`` where it is away or refuses our account,
    ``KubeRefused`` where it refuses what was asked, and ``ConfigError`` for certificates that cannot be read.
    """

    def __init__(self, access: Access, *, manager: str = FIELD_MANAGER) -> None:
        self._access = access
        self._manager = manager
        self._client: httpx.Client | None = None

    @property
    def server(self) -> str:
        """Its URL, for messages."""
        return self._access.server

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """One object, or None. Raises ``ConfigError`` where the cluster does not know the kind."""
        response = self._send("GET", kind.path(namespace, name), expected={200, 404})
        if response.status_code == 200:
            return _json(response)
        self._check_kind_is_known(kind, response)
        return None

    def find(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Object]:
        """The objects with these labels, in a namespace or in all."""
        return self._list(kind, namespace, labels)["items"]  # type: ignore[no-any-return]

    def create(self, kind: Kind, namespace: str | None, body: Object) -> Object:
        return _json(self._send("POST", kind.path(namespace), body, params=self._managed))

    def apply(self, kind: Kind, namespace: str | None, body: Object, *, force: bool = False) -> Object:
        """Server-side apply: what the body holds is ours from now on, and what it held before and no longer
        does goes. A field of another owner is a 409, unless forced."""
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        path = kind.path(namespace, body["metadata"]["name"])
        params = {**self._managed, "force": str(force).lower()}
        response = self._send(
            "PATCH", path, body, content_type=_APPLY, params=params, expected={200, 201, 404}
        )
        if response.status_code == 404:
            self._check_kind_is_known(kind, response)
            raise _refusal(response)
        return _json(response)

    def merge(
        self, kind: Kind, namespace: str | None, name: str, change: Object, *, subresource: str = ""
    ) -> Object:
        """JSON merge patch: null removes a key."""
        path = kind.path(namespace, name, subresource)
        return _json(self._send("PATCH", path, change, content_type=_MERGE, params=self._managed))

    def json_patch(self, kind: Kind, namespace: str | None, name: str, change: list[Object]) -> Object:
        """JSON patch, all or nothing; a ``test`` that fails is a 422."""
        path = kind.path(namespace, name)
        return _json(self._send("PATCH", path, change, content_type=_JSON_PATCH, params=self._managed))

    def replace(self, kind: Kind, namespace: str | None, body: Object, *, subresource: str = "") -> Object:
        path = kind.path(namespace, body["metadata"]["name"], subresource)
        return _json(self._send("PUT", path, body, params=self._managed))

    def post(self, kind: Kind, namespace: str | None, name: str, subresource: str, body: Object) -> Object:
        """Create a subresource, such as a pod's binding."""
        return _json(self._send("POST", kind.path(namespace, name, subresource), body))

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, grace_seconds: int | None = None
    ) -> None:
        """Delete an object; nothing happens if it is not there."""
        body = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        self._send("DELETE", kind.path(namespace, name), body, expected={200, 202, 404})

    def logs(
        self, namespace: str, pod: str, *, container: str, lines: int = 20, previous: bool = False
    ) -> str:
        """The last lines of a container; of the one before, if it was restarted and ``previous`` is asked."""
        params = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        return self._send("GET", PODS.path(namespace, pod, "log"), params=params).text

    def ask_pod(
        self, namespace: str, pod: str, port: int, method: str, path: str, body: Any = None
    ) -> httpx.Response:
        """A request to a pod through the API server; whatever the pod answers. Raises ``BackendUnavailable``
        where the API server does not reach it."""
        url = f"{PODS.path(namespace, f'{pod}:{port}', 'proxy')}{path}"
        response = self._send(method, url, body, expected=None)
        if response.status_code in (401, 403, 404, 502, 503, 504) and _is_status(response):
            raise self._unavailable(response) if response.status_code != 404 else _refusal(response)
        return response

    def watch(
        self, kind: Kind, namespace: str | None, since: str, *, silence_seconds: float
    ) -> Iterator[tuple[str, Object]]:
        """Changes since a list's resource version: ``ADDED``, ``MODIFIED`` or ``DELETED``, and the object.
        Ends when nothing was said for so long. Raises ``KubeRefused`` (410) where the version is too old."""
        params = {"watch": "true", "resourceVersion": since}
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, read=silence_seconds)
        try:
            with self._http().stream("GET", kind.path(namespace), params=params, timeout=timeout) as response:
                if response.status_code != 200:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _refused(event["object"])
                    yield event["type"], event["object"]
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def find_with_version(self, kind: Kind, namespace: str | None) -> tuple[list[Object], str]:
        """Every object, and the resource version to watch from."""
        found = self._list(kind, namespace, None)
        return found["items"], found["metadata"]["resourceVersion"]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _managed(self) -> dict[str, str]:
        return {"fieldManager": self._manager}

    def _list(self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None) -> Object:
        params = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())} if labels else {}
        response = self._send("GET", kind.path(namespace), params=params, expected={200, 404})
        if response.status_code == 404:
            self._check_kind_is_known(kind, response)
            raise _refusal(response)
        return _json(response)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        expected: set[int] | None = frozenset({200, 201}),  # type: ignore[assignment]  # never changed
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": content_type}
        try:
            response = self._http().request(method, path, content=content, headers=headers, params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._away(error) from error
        if expected is None or response.status_code in expected:
            return response
        refusal = _refusal(response)
        # A wrong field in a server-side apply is the server's fault by its code, and no retry mends it.
        wrong_field = _WRONG_FIELD in refusal.message
        if response.status_code in (401, 403, 429) or (response.status_code >= 500 and not wrong_field):
            raise self._unavailable(response)
        raise refusal

    def _http(self) -> httpx.Client:
        if self._client is None:
            access = self._access
            self._client = httpx.Client(
                base_url=access.server,
                headers={} if access.token is None else {"Authorization": f"Bearer {access.token}"},
                verify=_tls(access),
                timeout=_TIMEOUT_SECONDS,
                trust_env=False,
            )
        return self._client

    def _check_kind_is_known(self, kind: Kind, response: httpx.Response) -> None:
        """An unknown object is a Status; an unknown kind is the server's plain 404 page."""
        if not _is_status(response):
            raise ConfigError(
                f"the cluster at {self.server} does not know {kind.plural} of {kind.api_version}: install "
                f"{'the Gateway API' if kind.group == HTTP_ROUTES.group else 'what brings them'} there first"
            )

    def _away(self, error: Exception) -> BackendUnavailable:
        return BackendUnavailable(
            f"The Kubernetes API at {self.server} does not answer ({type(error).__name__}: {error}). Look "
            "whether this worker reaches it, and at the Airflow connection that deploy.target.conn_id names."
        )

    def _unavailable(self, response: httpx.Response) -> BackendUnavailable:
        said = _refusal(response).message
        match response.status_code:
            case 401:
                return BackendUnavailable(
                    f"The Kubernetes API at {self.server} does not know our token ({said}). Renew the one in "
                    "the Airflow connection."
                )
            case 403:
                return Forbidden(
                    f"The Kubernetes API at {self.server} forbids it: {said}. The rights that are needed are "
                    "in docker/kubernetes/rbac.yaml (for KServe: rbac-kserve.yaml)."
                )
            case code:
                return BackendUnavailable(f"The Kubernetes API at {self.server} answered {code}: {said}")


def _tls(access: Access) -> ssl.SSLContext | bool:
    if not access.server.startswith("https:"):
        return False
    try:
        context = ssl.create_default_context(cafile=access.ca_file, cadata=access.ca_data)
        if access.certificate is not None:
            _load_certificate(context, *access.certificate)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificates for the Kubernetes API at {access.server} cannot be read: {error}. Look at "
            "the Airflow connection that deploy.target.conn_id names, and at its kubeconfig"
        ) from error
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Python's TLS reads a certificate from files only, so text becomes one for as long as that takes."""
    with tempfile.TemporaryDirectory(prefix="mlops-kube-") as folder:
        files: list[str] = []
        for name, given in (("certificate.pem", certificate), ("key.pem", key)):
            file = Path(given)
            if "-----BEGIN" in given:
                file = Path(folder) / name
                file.write_text(given, encoding="utf-8")
            files.append(str(file))
        context.load_cert_chain(files[0], files[1])


def _json(response: httpx.Response) -> Object:
    found: Object = response.json()
    return found


def _is_status(response: httpx.Response) -> bool:
    try:
        return bool(response.json().get("kind") == "Status")
    except (ValueError, AttributeError):
        return False


def _refusal(response: httpx.Response) -> KubeRefused:
    if _is_status(response):
        return _refused(response.json())
    return KubeRefused(response.status_code, "Unknown", response.text[:500].strip() or response.reason_phrase)


def _refused(status: Object) -> KubeRefused:
    causes = (status.get("details") or {}).get("causes") or ()
    return KubeRefused(
        status.get("code", 0), status.get("reason", "Unknown"), status.get("message", ""), tuple(causes)
    )
