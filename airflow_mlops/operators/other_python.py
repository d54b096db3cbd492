"""Runs a step in another Python (``compute.python``), its output in this task's log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, MlopsError

_RETRY_EXIT = 75
_GRACE_SECONDS = 10.0
_LINES_KEPT = 30


class StepFailed(MlopsError):
    """The step failed over there, with an error of ``kind``; a retry would end the same way."""

    def __init__(self, message: str, report: str | None = None, kind: str = "StepFailed") -> None:
        super().__init__(message)
        self.report = report
        self.kind = kind


class OtherPython:
    """One step in one process of another Python.

    Endpoints with their secrets travel by environment alone, so that nothing secret is on disk or in the
    process list. The process leads a group of its own: ``kill`` reaches its children as well.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, step: str, request: Mapping[str, Any], endpoints: Endpoints, log: Callable[[str], None]
    ) -> dict[str, Any] | None:
        """The step's result as JSON values. Raises ``BackendUnavailable`` where a retry can help,
        ``StepFailed`` where it cannot, ``ConfigError`` where that Python cannot be started."""
        with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as folder:
            asked, answered = Path(folder, "request.json"), Path(folder, "result.json")
            asked.write_text(json.dumps(dict(request)))
            command = [
                *(self.python, "-m", "airflow_mlops", "step", step),
                *("--request", str(asked), "--result", str(answered)),
            ]
            last = self._run(command, endpoints, log)
            if self._process is None or self._process.returncode != 0:
                raise self._failure(step, last)
            result: dict[str, Any] | None = json.loads(answered.read_text())
            return result

    def kill(self) -> None:
        """End the process and its children: first politely, after ten seconds by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal(process.pid, signal.SIGTERM)
        give_up = time.monotonic() + _GRACE_SECONDS
        # Not Popen.wait: this runs in a signal handler, perhaps inside the very wait that holds its lock.
        while time.monotonic() < give_up and not _has_ended(process.pid):
            time.sleep(0.05)
        _signal(process.pid, signal.SIGKILL)

    def _run(self, command: list[str], endpoints: Endpoints, log: Callable[[str], None]) -> list[str]:
        environment = {**os.environ, "AIRFLOW_MLOPS_ENDPOINTS": json.dumps(asdict(endpoints))}
        last: deque[str] = deque(maxlen=_LINES_KEPT)
        try:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(f"compute.python: {self.python} cannot be started: {error}") from error
        with self._process as process:
            for line in process.stdout or ():
                last.append(line.rstrip())
                if not line.startswith('{"error"'):
                    log(line.rstrip())
        return list(last)

    def _failure(self, step: str, last: list[str]) -> MlopsError:
        code = self._process.returncode if self._process else None
        for line in reversed(last):
            if line.startswith('{"error"'):
                told = json.loads(line)
                message = str(told["message"])
                if code == _RETRY_EXIT:
                    return BackendUnavailable(message)
                return StepFailed(message, told.get("report"), str(told["error"]))
        if code is not None and code < 0:
            return BackendUnavailable(f"step {step} was ended by signal {-code} in {self.python}")
        tail = "\n".join(last[-5:]) or "it printed nothing"
        return StepFailed(f"step {step} ended with code {code} in {self.python}: {tail}")


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _signal(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
