"""MLflow and the model server as processes that can be killed at any moment, and are then started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

UP_SECONDS = 90.0


@dataclass
class Server:
    """A program that listens. ``killed`` and ``ready`` are the moments of its deaths and returns."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    health: str
    process: subprocess.Popen[bytes] | None = None
    killed: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.env),
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def group(self) -> int:
        """The process group, as the worker that kills it needs it."""
        return -1 if self.process is None else self.process.pid

    def is_dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def wait_until_up(self) -> None:
        """Raises ``RuntimeError`` with the end of the log where it does not come up."""
        end = time.monotonic() + UP_SECONDS
        with httpx.Client(timeout=2, trust_env=False) as client:
            while time.monotonic() < end:
                if self.is_dead():
                    break
                try:
                    if client.get(self.health).is_success:
                        self.ready.append(time.time())
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not come up:\n{self.log.read_text(errors='replace')[-3000:]}")

    def revive(self) -> bool:
        """Start it again where it was killed, as whoever looks after it would; whether that was so."""
        if not self.is_dead():
            return False
        self.killed.append(time.time())
        self.stop()
        self.start()
        self.wait_until_up()
        return True

    def stop(self) -> None:
        """End every process of it."""
        if self.process is None:
            return
        for name in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, name)
            except ProcessLookupError:
                break
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
