"""Models' YAML files as people write them, in a folder of the test's own."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
    with _serve_mail() as served:
        yield served


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    own = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path_factory.mktemp("certificate") / "mail.pem"
    path.write_bytes(made.public_bytes(encoding) + own)
    return path


@pytest.fixture(params=["starttls", "implicit"])
def tls_mail_server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[SimpleNamespace]:
    """A mail server that takes no mail in the clear: by STARTTLS (RFC 3207) or with TLS from the first
    byte on (RFC 8314), and only of who has logged in as ada with the password s3cret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with _serve_mail(context, implicit=request.param == "implicit") as served:
        yield served


@contextmanager
def _serve_mail(tls: ssl.SSLContext | None = None, *, implicit: bool = False) -> Iterator[SimpleNamespace]:
    mails: list[EmailMessage] = []
    ada = b64encode(b"\0ada\0s3cret")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.open = tls is None
            with suppress(OSError):  # who does not trust the certificate hangs up
                if implicit:
                    self.encrypt()
                self.say("220 mail.test")
                self.talk()

        def encrypt(self) -> None:
            assert tls is not None
            self.connection = tls.wrap_socket(self.request, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)  # type: ignore[assignment]

        def talk(self) -> None:
            while line := self.rfile.readline():
                words = line.split()
                verb = words[0].upper() if words else b""
                encrypted = isinstance(self.connection, ssl.SSLSocket)
                if tls is not None and verb == b"EHLO":
                    self.say(
                        "250-mail.test\r\n250 AUTH PLAIN" if encrypted else "250-mail.test\r\n250 STARTTLS"
                    )
                elif tls is not None and verb == b"STARTTLS" and not encrypted:
                    self.say("220 go on")
                    self.encrypt()
                elif verb == b"AUTH" and encrypted:
                    self.open = words[1:] == [b"PLAIN", ada]
                    self.say("235 welcome" if self.open else "535 who?")
                elif verb in (b"MAIL", b"RCPT", b"DATA") and not self.open:
                    self.say("530 log in first")
                elif verb == b"DATA":
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
    yield SimpleNamespace(port=server.server_address[1], mails=mails, implicit=implicit)
    server.shutdown()
    server.server_close()
