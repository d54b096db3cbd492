"""The kubelet's own HTTPS port, where the API server fetches a container's log."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_mlops.testing.kube.certificates import own_certificate, server_context

Log = Callable[[str, str, str, bool], bytes | None]


def kubelet_server(log: Log) -> ThreadingHTTPServer:
    """A server on a free port with a certificate of its own, as a kubelet has before anybody signs it one.
    ``log`` gives a container's log by namespace, pod, container and whether the one before is meant."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            names = parts.path.strip("/").split("/")
            found = None
            if len(names) == 4 and names[0] == "containerLogs":
                found = log(names[1], names[2], names[3], query.get("previous") == ["true"])
            body = b"there is no such container, or it has not run yet\n" if found is None else found
            if found is not None and "tailLines" in query:
                body = b"".join(body.splitlines(keepends=True)[-int(query["tailLines"][0]) :])
            self.send_response(200 if found is not None else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the tests' output is theirs."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = server_context(own_certificate("kubelet")).wrap_socket(server.socket, server_side=True)
    return server
