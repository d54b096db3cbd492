"""``serve``: one gateway process, from its settings to an orderly end on SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlops.exceptions import BackendUnavailable, ConfigError, MissingExtra
from airflow_mlops.gateway.settings import Settings

if TYPE_CHECKING:
    from airflow_mlops.gateway.isolated.isolation import Isolation
    from airflow_mlops.gateway.models import ModelLoader
    from airflow_mlops.gateway.process import Gateway

_GRACEFUL_SECONDS = 30


def serve(
    settings: Settings, loader: ModelLoader | None = None, *, sockets: list[socket.socket] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT: then requests under way are finished and the log is written.

    Models come from ``loader``, or from MLflow. A server of one version ends as well when that version can
    never be served, with the ``MlopsError`` that says why. ``sockets`` are listened on in place of the
    settings' address. Raises ``ConfigError`` with neither, and
    ``MissingExtra`` without the ``gateway`` extra.
    """
    # Before numpy and scikit-learn are imported. Two OpenMP threads per call fight over the cores that
    # concurrent requests already fill: a p99 of seconds instead of milliseconds.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if settings.isolated:
        _serve_isolated(settings, loader)
        return
    server, gateway = _server(settings, loader)
    if gateway.only is not None:
        gateway.only.give_up = lambda: setattr(server, "should_exit", True)
    server.run(sockets=sockets)
    if gateway.only is not None and gateway.only.refusal is not None:
        raise gateway.only.refusal


def _serve_isolated(settings: Settings, loader: ModelLoader | None) -> None:
    from airflow_mlops.gateway.isolated.isolation import Isolation

    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal again at its end, which would end this process before the others.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Isolation(settings, loader or _registry(settings), serve) as isolation:
        server, _ = _server(isolation.own_settings, isolation.loader, isolation)
        server.run(sockets=[isolation.listening])
    if not server.started:
        raise BackendUnavailable(f"The isolated server did not start: {isolation.failure}")


@contextmanager
def serve_in_thread(settings: Settings, loader: ModelLoader | None = None) -> Iterator[str]:
    """A gateway on a free port of loopback for as long as the block lasts; its URL. For tests, notebooks
    and demonstrations. ``settings.port`` is left aside; it may not be ready yet (see ``/ready``)."""
    if settings.isolated:
        with _isolated_in_thread(settings, loader) as url:
            yield url
        return
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Listening before the server is up: the first request waits instead of being refused.
        listening.listen(128)
        server, _ = _server(settings, loader)
        with _running(server, listening):
            yield f"{_scheme(settings)}://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _isolated_in_thread(settings: Settings, loader: ModelLoader | None) -> Iterator[str]:
    from airflow_mlops.gateway.isolated.isolation import Isolation

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = replace(settings, host="127.0.0.1", port=port)
    with Isolation(settings, loader or _registry(settings), serve) as isolation:
        server, _ = _server(isolation.own_settings, isolation.loader, isolation)
        with _running(server, isolation.listening):
            isolation.wait_started()
            yield f"{_scheme(settings)}://127.0.0.1:{port}"


@contextmanager
def _running(server: Any, listening: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="gateway")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _scheme(settings: Settings) -> str:
    return "http" if settings.tls is None else "https"


def _server(
    settings: Settings, loader: ModelLoader | None, isolation: Isolation | None = None
) -> tuple[Any, Gateway]:
    try:
        import httptools  # noqa: F401
        import msgspec  # noqa: F401
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "uvicorn", "gateway") from error

    from airflow_mlops.gateway.app import GatewayApp
    from airflow_mlops.gateway.connections import bounded_protocol
    from airflow_mlops.gateway.process import Gateway

    tls = _tls(settings)
    gateway = Gateway(settings, loader or _registry(settings), isolation)
    config = uvicorn.Config(
        GatewayApp(gateway),
        host=settings.host,
        port=settings.port,
        access_log=False,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        server_header=False,
        http=bounded_protocol(
            HttpToolsProtocol, max_connections=settings.max_connections, head_seconds=settings.head_seconds
        ),
        ws="none",
        proxy_headers=False,
        backlog=2_048,
        **tls,
    )
    return uvicorn.Server(config), gateway


def _tls(settings: Settings) -> dict[str, Any]:
    """uvicorn's own arguments. Raises ``ConfigError`` before anything is opened or claimed."""
    tls = settings.tls
    if tls is None:
        return {}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert, tls.key)
        ssl.create_default_context(cafile=tls.client_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"The TLS files do not fit together or are no PEM files: {error}") from error
    own = {"ssl_certfile": str(tls.cert), "ssl_keyfile": str(tls.key)}
    if tls.client_ca is None:
        return own
    return {**own, "ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}


def _registry(settings: Settings) -> ModelLoader:
    from airflow_mlops.gateway.models import RegistryLoader

    if settings.tracking_uri is None:
        raise ConfigError("The gateway needs MLflow to load models from: give --tracking-uri.")
    return RegistryLoader(
        settings.model, settings.tracking_uri, settings.tracking_token, settings.trusted_types
    )
