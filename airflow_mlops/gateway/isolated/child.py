"""What runs in the processes that the control process starts: a version's server, and Envoy.

Both are forked from one process that has the libraries imported, so that a version is up in a moment and
shares their memory. Whatever ends the control process, kill -9 too, ends that one, and with it both.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

from airflow_mlops.exceptions import MlopsError
from airflow_mlops.gateway.models import ModelLoader
from airflow_mlops.gateway.settings import Settings

# Imported once, in the process that the others are forked from.
PRELOAD = (
    __name__,
    "numpy",
    "pandas",
    "uvicorn",
    "uvicorn.protocols.http.httptools_impl",
    "airflow_mlops.gateway.app",
    "airflow_mlops.gateway.connections",
    "airflow_mlops.gateway.server",
)
PRELOAD_REGISTRY = ("airflow_mlops.backends.tracking_mlflow", "mlflow.pyfunc", "sklearn.pipeline")
_PR_SET_PDEATHSIG = 1
Serve = Callable[..., None]
"""``gateway.server.serve``, handed in by the server that runs these processes."""


def run_version(
    serve: Serve, settings: Settings, loader: ModelLoader, address: Path, told: Connection
) -> None:
    """Serve one version on a Unix socket, as ``airflow-mlops serve --version`` does on a port. What it is
    refused for is told to the control process."""
    _end_with_parent(signal.SIGTERM)
    # A terminal's Ctrl-C is for the control process, which ends this one when no route names it.
    os.setsid()
    with socket.socket(socket.AF_UNIX) as listening:
        address.unlink(missing_ok=True)
        listening.bind(str(address))
        listening.listen(2_048)
        try:
            serve(settings, loader, sockets=[listening])
        except MlopsError as error:
            told.send((error.retry_can_help, str(error)))
            raise SystemExit(1) from None


def run_envoy(command: Sequence[str], output: Path) -> None:
    """Become Envoy, with its output in a file."""
    _end_with_parent(signal.SIGKILL)
    os.setsid()
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execv(command[0], list(command))  # noqa: S606 (a program and its arguments; no shell is meant)


def _end_with_parent(number: signal.Signals) -> None:
    # Each child is given the pipe by whose end the forking process knows of the control process's end.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel will not tell of the control process's end")
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():
        raise SystemExit(1)
