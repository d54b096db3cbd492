"""A real API server: ``etcd`` and ``kube-apiserver`` of the folder that ``KUBEBUILDER_ASSETS`` names.

The same two programs, and the same variable, as the tests of Go operators use (envtest's ``setup-envtest``
fetches them). Nothing else of a cluster is started: no kubelet, no controllers.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from airflow_mlops.testing.kube.rights import User

ASSETS = "KUBEBUILDER_ASSETS"
_START_SECONDS = 60.0


def assets() -> Path | None:
    """The folder with the two programs, if the environment names one."""
    folder = os.environ.get(ASSETS)
    return Path(folder) if folder else None


@contextmanager
def real_api_server(folder: Path, programs: Path, users: Mapping[str, User]) -> Iterator[tuple[str, str]]:
    """Start both, with these users by token, and RBAC; the URL and the file of its certificate.
    Raises ``RuntimeError`` with the end of its log where one of them does not come up."""
    folder.mkdir(parents=True, exist_ok=True)
    etcd_port, peer_port, port = _free_ports(3)
    etcd = f"http://127.0.0.1:{etcd_port}"
    with ExitStack() as running:
        etcd_command = [
            str(programs / "etcd"),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            "--unsafe-no-fsync=true",
        ]
        log = folder / "etcd.log"
        running.enter_context(_process(etcd_command, log))
        _wait(f"{etcd}/health", log, verify=False)
        server_command = [str(programs / "kube-apiserver"), *_server_options(folder, etcd, port, users)]
        log = folder / "kube-apiserver.log"
        running.enter_context(_process(server_command, log))
        url = f"https://127.0.0.1:{port}"
        _wait(f"{url}/readyz", log, verify=False, token=next(iter(users)))
        yield url, str(folder / "certificates" / "apiserver.crt")


def _server_options(folder: Path, etcd: str, port: int, users: Mapping[str, User]) -> list[str]:
    certificates = folder / "certificates"
    certificates.mkdir(exist_ok=True)
    key = _signing_key(folder)
    tokens = folder / "tokens.csv"
    lines = [
        f'{token},{user.name},{number},"{",".join(user.groups)}"'
        for number, (token, user) in enumerate(users.items())
    ]
    tokens.write_text("\n".join(lines) + "\n")
    tokens.chmod(0o600)
    return [
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        # It makes itself a certificate there where none is.
        f"--cert-dir={certificates}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={tokens}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://127.0.0.1/",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        # The default service accounts are a controller's work, and no controller runs.
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
    ]


def _signing_key(folder: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    file = folder / "service-accounts.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return file


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, log: Path, *, verify: bool, token: str = "") -> None:
    deadline = time.monotonic() + _START_SECONDS
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, headers=headers, verify=verify, timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
    raise RuntimeError(f"{url} did not come up in {_START_SECONDS:g} seconds:\n{tail}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        found = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
        return found


def new_token() -> str:
    """A token nobody knows."""
    return secrets.token_hex(16)
