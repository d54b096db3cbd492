"""Models' YAML files as people write them, in a folder of the test's own."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

_MODEL = """\
apiVersion: airflow-mlops/v1
model: {name}
description: Will it rain tomorrow?
owner: weather
tags: [forecasts]
level: {level}
task: binary_classification
data:
  source: {{type: parquet, path: rain.parquet}}
  time_column: day
  key: station
  label: rain
  features: {{pressure: numeric, cloud: categorical}}
  window: {{length: 3 months}}
  holdout: {{length: 14 days}}
training:
  estimator: sklearn.linear_model.LogisticRegression
evaluation:
  metrics: [roc_auc]
gates:
  rules:
    - {{type: threshold, metric: roc_auc, minimum: 0.6}}
{more}"""

_WATCHED = """\
schedule: {cron: "@monthly", start: 2026-01-01, timezone: Europe/Paris}
monitor:
  cron: "@daily"
  labels:
    source: {type: parquet, path: labels.parquet}
  performance: {metric: roc_auc}
"""


@pytest.fixture
def model_yaml(tmp_path: Path) -> Callable[..., Path]:
    """``model_yaml(name, level=1, more="", at=None)``: write a model's YAML, ``<name>.yaml`` in the test's
    folder unless ``at`` says otherwise. A model of level 3 is scheduled and watched, as it must be.
    """

    def write(name: str = "rain", level: int = 1, more: str = "", at: str | None = None) -> Path:
        path = tmp_path / (at or f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_MODEL.format(name=name, level=level, more=(_WATCHED if level == 3 else "") + more))
        return path

    return write


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """A local HTTP server that keeps what is posted as JSON; it refuses what is posted to /broken."""
    posts: list[tuple[str, dict[str, str], dict[str, object]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posts.append((self.path, dict(self.headers), body))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield SimpleNamespace(port=server.server_address[1], posts=posts)
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail_server() -> Iterator[SimpleNamespace]:
    """A local mail server (RFC 5321, no more than a client needs) that keeps the mails it is given."""
    mails: list[EmailMessage] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 mail.test")
            while line := self.rfile.readline():
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"DATA":
                    self.say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    mails.append(message_from_bytes(body, EmailMessage, policy=policy.default))
                    self.say("250 kept")
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 mail.test" if verb in (b"EHLO", b"HELO", b"MAIL", b"RCPT") else "502 what?")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield SimpleNamespace(port=server.server_address[1], mails=mails)
    server.shutdown()
    server.server_close()
