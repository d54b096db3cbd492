"""The stand-in's HTTP side: the API's real paths, answered over real sockets."""

from __future__ import annotations

import json
import select
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from airflow_mlops.testing.kube import discovery
from airflow_mlops.testing.kube.certificates import server_context
from airflow_mlops.testing.kube.fields import Owner
from airflow_mlops.testing.kube.objects import Objects, now
from airflow_mlops.testing.kube.requests import Request, bind, plain_answer
from airflow_mlops.testing.kube.resources import Catalog, Resource
from airflow_mlops.testing.kube.rights import ADMIN, Act, User, authenticate, authorize
from airflow_mlops.testing.kube.selectors import Selector
from airflow_mlops.testing.kube.statuses import ApiError, Object, bad_request, not_served

_PROXY_SECONDS = 60.0


class StandIn:
    """A Kubernetes API server in this process, with what a controller or a client of workloads asks of one.

    Nothing runs here: pods are run by a kubelet, Deployments by a controller, as with the real one.
    ``acts`` are the requests that were let through, by user. Not there: admission webhooks, CEL rules,
    quotas, paging, strategic merge patch, garbage collection (which is a controller's), and protobuf.
    """

    def __init__(self, tokens: Mapping[str, User] | None = None, *, history: int = 1_000) -> None:
        self.objects = Objects(Catalog(), history)
        self.tokens = dict(tokens or {"admin-token": ADMIN})
        self.acts: list[tuple[User, Act]] = []
        # To pods and kubelets, whose certificates the real one does not look at either unless told to.
        self.outward = httpx.Client(verify=False, timeout=_PROXY_SECONDS, trust_env=False)  # noqa: S501
        namespaces = self.objects.catalog.find("", "v1", "namespaces")
        if namespaces is None:
            raise AssertionError("namespaces are built in")
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        self.objects.create(namespaces, None, body, Owner("stand-in", "Update", "v1", time=now()))

    @contextmanager
    def serving(self, *, certificate: bytes | None = None) -> Iterator[str]:
        """Serve on a free port of loopback for as long as the block lasts; the URL. With a certificate (see
        ``own_certificate``) by TLS, without which client-go and kubectl send no token."""
        server = _Server(("127.0.0.1", 0), _handler(self))
        if certificate is not None:
            server.socket = server_context(certificate).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="kube-api", daemon=True)
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.stopping = True
            server.shutdown()
            server.server_close()
            thread.join()
            self.outward.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    stopping = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up in the middle, as a client that is stopped does, is no matter for the output."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.stand_in = stand_in
    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small answers would else wait for the other side's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    stand_in: StandIn

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 (http.server's names)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is theirs."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            path = urlsplit(self.path).path
            if path in ("/healthz", "/livez", "/readyz"):
                return self._send(200, b"ok", "text/plain")
            user = authenticate(self.headers.get("Authorization"), self.stand_in.tokens)
            found = discovery.page(path, self.stand_in.objects.catalog)
            if found is not None:
                return self._json(200, found)
            request = self._request(body)
            self._authorize(user, request)
            self._answer(request)
        except ApiError as error:
            if error.plain:
                return self._send(error.code, f"{error.message}\n".encode(), "text/plain; charset=utf-8")
            self._json(error.code, error.body())
        return None

    def _authorize(self, user: User, request: Request) -> None:
        acts = [request.act]
        if request.applies and not self._exists(request):
            # A server-side apply that creates needs both rights.
            acts.append(replace(request.act, verb="create"))
        for act in acts:
            authorize(user, act, self.stand_in.objects)
            self.stand_in.acts.append((user, act))

    def _exists(self, request: Request) -> bool:
        only = Selector(fields=f"metadata.name={request.name}")
        return bool(self.stand_in.objects.list(request.resource, request.namespace, only)["items"])

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        resource, namespace, names = _route(parts.path, self.stand_in.objects.catalog)
        name, subresource, *rest = [*names, "", ""][: max(len(names), 2)]
        return Request(
            self.command,
            resource,
            namespace,
            name,
            subresource,
            "/".join(rest),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            self.headers.get("Content-Type", "application/json").partition(";")[0],
            self.headers.get("User-Agent", "unknown"),
            body,
        )

    def _answer(self, request: Request) -> None:
        objects = self.stand_in.objects
        match request.method, request.subresource:
            case _, "proxy" if request.resource.kind == "Pod":
                self._proxy(request, parts=urlsplit(self.path))
            case "GET", "log" if request.resource.kind == "Pod":
                self._logs(request)
            case "POST", "binding" if request.resource.kind == "Pod":
                self._json(201, bind(objects, request))
            case "GET", _ if request.watches and not request.name:
                self._watch(request)
            case _:
                self._json(*plain_answer(objects, request))

    def _watch(self, request: Request) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        since = request.query.get("resourceVersion", "")
        events = self.stand_in.objects.watch(
            request.resource, request.namespace, since, request.selector, self._is_gone
        )
        try:
            for event in events:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _is_gone(self) -> bool:
        """Whether the client has hung up (its end is readable, and there is nothing), or the server stops."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) or self.server.stopping  # type: ignore[attr-defined]

    def _proxy(self, request: Request, parts: Any) -> None:
        name, _, port = request.name.partition(":")
        pod = self.stand_in.objects.get(request.resource, request.namespace, name)
        address = pod.get("status", {}).get("podIP")
        query = f"?{parts.query}" if parts.query else ""
        url = f"http://{address}:{port or 80}/{request.rest}{query}"
        # As the real one does: the caller's token is for the API server, not for the pod.
        headers = {
            k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept", "x-request-id")
        }
        try:
            answer = self.stand_in.outward.request(request.method, url, content=request.body, headers=headers)
        except httpx.HTTPError as error:
            raise ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from error
        self._send(answer.status_code, answer.content, answer.headers.get("Content-Type", "text/plain"))

    def _logs(self, request: Request) -> None:
        objects = self.stand_in.objects
        pod = objects.get(request.resource, request.namespace, request.name)
        containers = [one["name"] for one in pod["spec"]["containers"]]
        container = request.query.get("container") or containers[0]
        if container not in containers:
            raise bad_request(f"container {container} is not valid for pod {request.name}")
        url = _kubelet_url(objects, pod, container)
        query = {k: v for k, v in request.query.items() if k != "container"}
        try:
            answer = self.stand_in.outward.get(url, params=query)
        except httpx.HTTPError as error:
            raise ApiError(500, "InternalError", f"Get {url}: {error}") from error
        if answer.status_code != 200:
            raise bad_request(answer.text.strip())
        self._send(200, answer.content, "text/plain")

    def _json(self, code: int, body: Object) -> None:
        self._send(code, json.dumps(body).encode(), "application/json")

    def _send(self, code: int, body: bytes, content_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _route(path: str, catalog: Catalog) -> tuple[Resource, str | None, list[str]]:
    """The kind that a path is about, its namespace, and the names behind it."""
    parts = path.strip("/").split("/")
    group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    if not parts:
        raise not_served()
    version, namespace, rest = parts[0], None, parts[1:]
    if len(rest) > 2 and rest[0] == "namespaces" and catalog.find(group, version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    resource = catalog.find(group, version, rest[0]) if rest else None
    if resource is None or (namespace is not None and not resource.namespaced):
        raise not_served()
    return resource, namespace, rest[1:]


def _kubelet_url(objects: Objects, pod: Object, container: str) -> str:
    node_name = pod["spec"].get("nodeName")
    nodes = objects.catalog.find("", "v1", "nodes")
    if nodes is None or not node_name:
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    status = objects.get(nodes, None, node_name).get("status", {})
    address = next(one["address"] for one in status["addresses"] if one["type"] == "InternalIP")
    port = status["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    metadata = pod["metadata"]
    return f"https://{address}:{port}/containerLogs/{metadata['namespace']}/{metadata['name']}/{container}"
