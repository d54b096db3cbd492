"""What stops the demo, and what a reader needs to see then."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from airflow_mlops.exceptions import MlopsError


class DemoFailed(MlopsError):
    """The demo cannot go on; the message ends with the last lines of the log at fault."""


def last_lines(log: Path, count: int = 25) -> str:
    """The end of a log file under its path, or a word on its absence."""
    if not log.is_file():
        return f"(there is no log at {log})"
    with log.open(errors="replace") as lines:
        tail = deque(lines, maxlen=count)
    return f"The last lines of {log}:\n" + "".join(f"    {line.rstrip()}\n" for line in tail).rstrip()
