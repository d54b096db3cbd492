"""The moment at which something is killed: before or after the n-th change that a rollout makes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Victim = Literal["worker", "run", "gateway", "mlflow", "scheduler"]
"""``worker``: Airflow tries its task again. ``run``: nobody does, as when it was given up; the next run takes
over. ``scheduler``: a real one, with all its workers; see ``real_airflow``."""

_FORK = multiprocessing.get_context("fork")
CHANGES: Mapping[str, frozenset[str]] = {
    "ledger": frozenset({"append"}),
    "tracking": frozenset({"set_alias", "drop_alias", "set_tags"}),
    "serving": frozenset({"deploy", "smoke", "set_traffic", "promote", "roll_back"}),
}


@dataclass(frozen=True, slots=True)
class Kill:
    """``number`` counts the changes of a whole rollout, from 1, over all its tasks."""

    victim: Victim
    number: int
    after: bool

    def __str__(self) -> str:
        return f"{self.victim} {'after' if self.after else 'before'}"


@dataclass
class Changes:
    """Counts changes over all worker processes of a rollout, and kills: the process groups of the servers
    are in ``groups``. In shared memory are left the names of the changes, and when the kill was."""

    kill: Kill | None
    groups: Mapping[str, int]
    counter: Any = field(default_factory=lambda: _FORK.Value("i", 0))
    names: Any = field(default_factory=lambda: _FORK.Array("c", 8_192))
    struck: Any = field(default_factory=lambda: _FORK.Value("d", 0.0))

    def made(self) -> list[str]:
        """The changes so far."""
        return self.names.value.decode().split(";")[:-1]

    def watched(self, backends: Any) -> Any:
        return _Watched(backends, self)

    def make(self, name: str, change: Callable[[], Any]) -> Any:
        with self.counter.get_lock():
            self.counter.value += 1
            number = self.counter.value
            self.names.value += f"{name};".encode()
        hit = self.kill is not None and self.kill.number == number
        if hit and self.kill is not None and not self.kill.after:
            self._strike(self.kill.victim)
        result = change()
        if hit and self.kill is not None and self.kill.after:
            self._strike(self.kill.victim)
        return result

    def _strike(self, victim: Victim) -> None:
        self.struck.value = time.time()
        if victim in ("worker", "run"):
            os.kill(os.getpid(), signal.SIGKILL)
        os.killpg(self.groups[victim], signal.SIGKILL)


class _Watched:
    """The backends of a step, with every change counted."""

    def __init__(self, backends: Any, changes: Changes) -> None:
        self._backends = backends
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._backends, name)
        return _WatchedPart(name, part, self._changes) if name in CHANGES else part


class _WatchedPart:
    def __init__(self, role: str, part: Any, changes: Changes) -> None:
        self._role = role
        self._part = part
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name not in CHANGES[self._role]:
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            shown = f" {args[0].kind}" if name == "append" else ""
            return self._changes.make(f"{self._role}.{name}{shown}", lambda: found(*args, **kwargs))

        return counted
