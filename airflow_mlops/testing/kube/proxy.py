"""The data plane of the scripted Gateway: an HTTP proxy that splits by weight and mirrors."""

from __future__ import annotations

import http.client
import random
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 30
# Hop-by-hop (RFC 9110, 7.6.1), and what the proxy says itself.
_NOT_FORWARDED = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "content-length",
}
_NOT_FORWARDED |= {"server", "date"}


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service with its weight and the addresses of its ready pods."""

    name: str
    weight: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of an HTTPRoute. ``matches`` are a path's type and value, any of which may match."""

    hostnames: tuple[str, ...]
    matches: tuple[tuple[str, str], ...]
    backends: tuple[Backend, ...]
    mirrors: tuple[Backend, ...] = ()

    def takes(self, host: str, path: str) -> bool:
        named = not self.hostnames or any(_is_host(host, name) for name in self.hostnames)
        return named and any(_is_path(path, kind, value) for kind, value in self.matches)


class Proxy:
    """Serves ``routes``, which are replaced whole: a request sees one table."""

    def __init__(self) -> None:
        self.routes: tuple[Route, ...] = ()
        self._mirroring = ThreadPoolExecutor(4, thread_name_prefix="mirror")
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="gateway", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._mirroring.shutdown(wait=False, cancel_futures=True)

    def answer(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Forward a request by the first rule that takes it. 404 where none does, 500 where no backend has a
        weight, 503 where it has no pod, as the Gateway API says; 502 where the pod does not answer."""
        host = {k.lower(): v for k, v in headers}.get("host", "").partition(":")[0]
        path = urlsplit(url).path
        route = next((one for one in self.routes if one.takes(host, path)), None)
        if route is None:
            return 404, [], b"no route\n"
        for mirror in route.mirrors:
            if mirror.addresses:
                self._mirroring.submit(_forward, _any(mirror.addresses), method, url, headers, body)
        weights = [one.weight for one in route.backends]
        if not any(weights):
            return 500, [], b"no backend\n"
        (backend,) = random.choices(route.backends, weights)  # noqa: S311 (a split, no secret)
        if not backend.addresses:
            return 503, [], f"{backend.name} has no ready pod\n".encode()
        try:
            return _forward(_any(backend.addresses), method, url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            return 502, [], f"{backend.name} does not answer: {error}\n".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up in the middle, as a client that is stopped does, is no matter for the output."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, headers, content = proxy.answer(self.command, self.path, list(self.headers.items()), body)
            self.send_response(code)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 (http.server's names)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the tests' output is theirs."""

    return Handler


def _forward(
    address: str, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        kept = {name: value for name, value in headers if name.lower() not in _NOT_FORWARDED}
        connection.request(method, url, body or None, kept)
        answer = connection.getresponse()
        content = answer.read()
        passed = [(name, value) for name, value in answer.getheaders() if name.lower() not in _NOT_FORWARDED]
        return answer.status, passed, content
    finally:
        connection.close()


def _any(addresses: tuple[str, ...]) -> str:
    return random.choice(addresses)  # noqa: S311 (a split, no secret)


def _is_host(host: str, name: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:])
    return host == name


def _is_path(path: str, kind: str, value: str) -> bool:
    if kind == "Exact":
        return path == value
    prefix = value.rstrip("/")
    return path == prefix or path.startswith(f"{prefix}/")
