"""A real ``mlflow server`` for tests: sqlite, local artifacts behind the server's proxy, loopback only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_QUIET = {
    # The job runner is four more processes and 1.4 GiB that nothing here uses.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "DO_NOT_TRACK": "1",
}


@contextmanager
def mlflow_server(
    folder: Path, port: int | None = None, *, start_timeout_seconds: float = 90
) -> Iterator[str]:
    """Serve ``folder`` (created if need be; what an earlier server left there is served again), yield
    the URL, and stop every process of the server at the end. Starting takes about six seconds.

    Raises ``RuntimeError`` if the port is taken, and with the end of the server's log if it does not get
    healthy.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port(port or 0)
    url = f"http://127.0.0.1:{port}"
    log_path = folder / "server.log"
    with log_path.open("ab") as log:
        server = subprocess.Popen(
            _command(folder, port),
            cwd=folder,
            env={**_without_mlflow(os.environ), **_QUIET},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, url, log_path, time.monotonic() + start_timeout_seconds)
        yield url
    finally:
        _stop_group(server)


def _command(folder: Path, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
        *("--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        "--serve-artifacts",
        *("--artifacts-destination", str(folder / "artifacts")),
    ]


def _without_mlflow(environment: os._Environ[str]) -> dict[str, str]:
    """The caller's own MLflow settings (a tracking URI, a token) must not steer the test server."""
    return {name: value for name, value in environment.items() if not name.startswith("MLFLOW_")}


def _free_port(wanted: int) -> int:
    """``wanted`` if it is free, any for 0. Whoever holds a taken port might answer in the server's place."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise RuntimeError(f"mlflow server cannot have port {wanted}: {error.strerror}") from error
        return int(probe.getsockname()[1])


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str, log_path: Path, deadline: float) -> None:
    with httpx.Client(timeout=2, trust_env=False) as client:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise RuntimeError(f"mlflow server ended with code {server.returncode}:\n{_tail(log_path)}")
            try:
                if client.get(f"{url}/health").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise RuntimeError(f"mlflow server at {url} did not get healthy in time:\n{_tail(log_path)}")


def _tail(log_path: Path, lines: int = 60) -> str:
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-lines:])


def _stop_group(server: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then insist: the parent alone would leave uvicorn behind."""
    for name in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, name)
        except ProcessLookupError:
            break
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
    server.wait()
