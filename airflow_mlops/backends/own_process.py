"""A Python module as a program in a process of its own: the caller's Python and import paths, a time limit.

As a module it is the other side: ``python -m airflow_mlops.backends.own_process MODULE ARGUMENT...``.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_KEPT_CHARACTERS = 20_000
_ASKS_TO_BE_TOLD = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. ``code`` is None where its time was up; ``output`` is the end of what it said,
    on standard output and standard error."""

    code: int | None
    output: str


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str | None] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a module and wait for its end. When the time is up it is killed with all that it started.

    It imports what the caller can import: Airflow puts plugins and DAG bundles on ``sys.path`` as it goes,
    where a new process would not find them. In ``environment``, None takes a variable away.
    """
    command = [sys.executable, "-P", "-m", "airflow_mlops.backends.own_process", module, *arguments]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(environment or {}),
            cwd=folder,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):  # what it started may outlive it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Ended(code, _end_of(output))


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **changes}
    # Nothing is written beside the modules: a versioned bundle is refused once its files have changed.
    return {name: value for name, value in given.items() if value is not None} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }


def _end_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - 4 * _KEPT_CHARACTERS))
    return output.read().decode(errors="replace")[-_KEPT_CHARACTERS:]


def _end_with_the_parent() -> None:
    """A task that Airflow kills cannot end its processes: Linux is asked to. Elsewhere the time limit of the
    tests is all there is."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_ASKS_TO_BE_TOLD, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_the_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
