"""HTTPS, and callers who must show a certificate: the server's side and the Airflow connection's."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.serving_embedded import EmbeddedTarget, tls_context
from airflow_mlops.cli.serve import command
from airflow_mlops.core.values import ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError
from airflow_mlops.gateway.server import serve
from airflow_mlops.gateway.settings import Settings, Tls

ROW = {"temp": 20.5, "carrier": "AA"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate of the server and one of a caller by it, and a caller's by another."""
    folder = tmp_path_factory.mktemp("certificates")
    for authority, holders in (("ca", ("server", "caller")), ("other-ca", ("stranger",))):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _write(folder, authority, key, signed_by=None)
        for holder in holders:
            _write(folder, holder, ec.generate_private_key(ec.SECP256R1()), signed_by=(certificate, key))
    return folder


def _write(folder: Path, name: str, key: Any, signed_by: Any) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (subject, key) if signed_by is None else (signed_by[0].subject, signed_by[1])
    now = datetime.now(timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate


def context(certificates: Path, holder: str | None) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=certificates / "ca.pem")
    if holder is not None:
        found.load_cert_chain(certificates / f"{holder}.pem", certificates / f"{holder}.key")
    return found


@pytest.fixture
def secured(start: Callable[..., Any], certificates: Path) -> Callable[..., str]:
    """Starts a gateway with these TLS files; its address."""

    def secured(client_ca: Path | None = None) -> str:
        tls = Tls(certificates / "server.pem", certificates / "server.key", client_ca)
        gateway = start(tls=tls)
        url = str(gateway.url)
        with httpx.Client(verify=context(certificates, "caller"), base_url=url) as client:
            gateway.wait(lambda: client.get("/ready").status_code == 200)
        return url

    return secured


def test_requests_are_answered_over_https(secured: Callable[..., str], certificates: Path) -> None:
    url = secured()
    assert url.startswith("https://")
    answer = httpx.post(f"{url}/predict", json={"rows": [ROW]}, verify=context(certificates, None))
    assert answer.json()["predictions"][0]["prediction"] == 0.1


def test_with_an_authority_only_callers_who_show_its_certificate_are_answered(
    secured: Callable[..., str], certificates: Path
) -> None:
    url = secured(certificates / "ca.pem")
    assert httpx.get(f"{url}/health", verify=context(certificates, "caller")).status_code == 200
    for holder in (None, "stranger"):
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health", verify=context(certificates, holder))


def test_the_serving_target_shows_the_certificate_of_its_connection(
    secured: Callable[..., str], certificates: Path
) -> None:
    url = secured(certificates / "ca.pem")
    trusted = {"ca_cert": str(certificates / "ca.pem")}
    own = {"client_cert": str(certificates / "caller.pem"), "client_key": str(certificates / "caller.key")}
    target = EmbeddedTarget(ServingEndpoint("embedded", "flights", url, extra={**trusted, **own}))
    assert target.traffic() == Traffic(champion=ModelRef("flights", "1"))
    for extra in (trusted, {}):
        with pytest.raises(BackendUnavailable, match="does not answer"):
            EmbeddedTarget(ServingEndpoint("embedded", "flights", url, extra=extra)).traffic()


def test_a_connection_whose_files_cannot_be_used_says_which(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both client_cert and client_key"):
        tls_context({"client_cert": "caller.pem"})
    (tmp_path / "no.pem").write_text("no certificate")
    for path in (tmp_path / "no.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=path.name):
            tls_context({"ca_cert": str(path)})
    assert tls_context({}) is True


def test_callers_certificates_stand_for_a_token_beyond_loopback(certificates: Path, tmp_path: Path) -> None:
    files = (certificates / "server.pem", certificates / "server.key")
    asked = Tls(*files, certificates / "ca.pem")
    assert Settings(model="m", store=tmp_path, host="0.0.0.0", tls=asked).token is None
    with pytest.raises(ConfigError, match="--tls-client-ca"):
        Settings(model="m", store=tmp_path, host="0.0.0.0", tls=Tls(*files))


def test_tls_files_that_are_missing_or_do_not_fit_stop_the_start(
    certificates: Path, tmp_path: Path, shelf: Any
) -> None:
    with pytest.raises(ConfigError, match=r"--tls-key .*nowhere\.key is not a file"):
        Tls(certificates / "server.pem", tmp_path / "nowhere.key")
    mixed = Tls(certificates / "server.pem", certificates / "caller.key")
    with pytest.raises(ConfigError, match="do not fit together"):
        serve(Settings(model="m", store=tmp_path, tls=mixed), shelf)


def test_the_command_wants_certificate_and_key_together(tmp_path: Path) -> None:
    arguments = ["--model", "m", "--tracking-uri", "http://x", "--store", str(tmp_path), "--tls-cert", "c"]
    assert "go together" in CliRunner().invoke(command, arguments).output
