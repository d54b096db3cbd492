"""Processes forked from one that has the heavy libraries imported already."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.gateway.isolated.child import PRELOAD


class Forks:
    """Starts processes that end with this one.

    Linux sees to that; beyond it ``ConfigError`` is raised.
    """

    def __init__(self, *preload: str) -> None:
        if sys.platform != "linux":
            raise ConfigError("--isolated needs Linux; leave it out to serve all versions in one process.")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*PRELOAD, *preload])

    def start(self, name: str, run: Callable[..., None], *given: Any) -> BaseProcess:
        # Read when numpy is imported, which is in the process that forks.
        os.environ["OMP_NUM_THREADS"] = "1"
        process = self._context.Process(name=name, target=run, args=given)
        process.start()
        return process

    def pipe(self) -> Any:
        """Two ends: what a child tells is read at the first."""
        return self._context.Pipe(duplex=False)
