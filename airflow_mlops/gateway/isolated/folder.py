"""The folder of a server's sockets, and of those that were killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "airflow-mlops-serve-"
CONTROL_SOCKET = "control.sock"


class SocketFolder:
    """A folder that only this user may enter. It is locked for as long as the process lives, so that what a
    killed one has left is known and removed by the next."""

    def __init__(self) -> None:
        _remove_left_behind(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_left_behind(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # another user's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that has just been made is empty, and not locked yet.
            if (folder / CONTROL_SOCKET).exists():
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # its server lives
        finally:
            os.close(lock)
