"""Starts the demo's programs, remembers them in a file, and stops them, also those of a crashed demo."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Airflow itself depends on psutil.
import psutil  # type: ignore[import-untyped]  # it ships no types

from airflow_mlops.cli.demo.failures import DemoFailed, last_lines

GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """A process by number and start time; the number alone may belong to somebody else by now."""

    name: str
    pid: int
    started: float


class Processes:
    """Programs of one demo. Each leads a session of its own, so that Ctrl-C reaches the demo first and all
    that a program started can be found again. ``record`` is the file that outlives a crash.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._children: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._running: list[Running] = [_identity("demo", os.getpid())]
        self._write()

    def start(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, folder: Path
    ) -> None:
        """Start a program with its output in ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = (child, log)
        self._running.append(_identity(name, child.pid))
        self._write()

    def check(self) -> None:
        """Raises ``DemoFailed`` with the end of its log if a program has ended."""
        for name, (child, log) in self._children.items():
            if child.poll() is not None:
                raise DemoFailed(f"{name} ended with exit code {child.returncode}. {last_lines(log)}")

    def stop(self) -> None:
        """Stop every program and forget them."""
        _stop_sessions([running for running in self._running if running.pid != os.getpid()])
        for child, _ in self._children.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1)
        self._children.clear()
        self._record.unlink(missing_ok=True)

    def _write(self) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        beside = self._record.with_suffix(".new")
        beside.write_text(json.dumps([asdict(running) for running in self._running]))
        beside.replace(self._record)


def stop_recorded(record: Path, *, also_the_demo: bool = False) -> list[str]:
    """Stop what an earlier demo left behind; the names of what was still running.

    Raises ``DemoFailed`` if that demo is itself alive, unless ``also_the_demo``.
    """
    if not record.is_file():
        return []
    recorded = _read(record)
    demo = next((running for running in recorded if running.name == "demo" and _is_alive(running)), None)
    if demo is not None and demo.pid != os.getpid():
        if not also_the_demo:
            raise DemoFailed(
                f"a demo is already running here (process {demo.pid}); stop it with Ctrl-C in its terminal "
                "or with: airflow-mlops demo --stop"
            )
        _ask_to_stop(demo)
    left = [running for running in recorded if running.name != "demo" and _has_session(running)]
    _stop_sessions(left)
    record.unlink(missing_ok=True)
    return [running.name for running in left]


def _read(record: Path) -> list[Running]:
    try:
        return [Running(**item) for item in json.loads(record.read_text())]
    except (ValueError, TypeError):
        # Written by another version, or cut off by a full disk: nothing in it can be trusted.
        return []


def _identity(name: str, pid: int) -> Running:
    return Running(name, pid, psutil.Process(pid).create_time())


def _is_alive(running: Running) -> bool:
    try:
        process = psutil.Process(running.pid)
        return bool(
            abs(process.create_time() - running.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def _has_session(leader: Running) -> bool:
    """Whether the session may still live: its leader does, or is gone (its members may not be).

    The system gives a session's number to nobody else while a member lives, so a number that is taken by
    another process, or was noted before the machine started, is not ours any more.
    """
    if psutil.boot_time() > leader.started + 1:
        return False
    if psutil.pid_exists(leader.pid):
        return _is_alive(leader)
    return any(True for _ in _members({leader.pid}))


def _ask_to_stop(demo: Running) -> None:
    process = psutil.Process(demo.pid)
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(timeout=3 * GRACE_SECONDS)


def _stop_sessions(leaders: Sequence[Running]) -> None:
    """End whole sessions: asked first, killed after a grace period. Not process groups: Airflow puts some
    of its children into groups of their own."""
    sessions = {leader.pid for leader in leaders}
    members = list(_members(sessions))
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            member.terminate()
    _, stubborn = psutil.wait_procs(members, timeout=GRACE_SECONDS)
    for member in {*stubborn, *_members(sessions)}:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            member.kill()


def _members(sessions: set[int]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.pid != os.getpid() and os.getsid(process.pid) in sessions:
                yield process
