"""What stops the demo, and what a reader needs to see then."""

from __future__ import annotations

import json
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
    return f"The last lines of {log}:\n" + "\n".join(f"    {_readable(line)}" for line in tail)


def _readable(line: str) -> str:
    """Airflow's task logs are JSON, one object a line; the message and the error's text are enough here."""
    try:
        entry = json.loads(line)
        errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or ()]
        return " ".join([f"[{entry['level']}]", str(entry["event"]), *errors[:1]])
    except (ValueError, TypeError, KeyError, AttributeError):
        return line.rstrip()
