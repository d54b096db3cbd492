"""One process at a time for a name, on one machine and over NFS; a process that is killed lets go."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_mlops.exceptions import StoreUnavailable


@contextmanager
def one_writer(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file for the block. Raises ``StoreUnavailable`` where another process holds it.

    The file stays: whoever removed it could take it from under a third process that waits to lock it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreUnavailable(
                f"{what} is being written by another task at this moment; wait for it, then retry"
            ) from error
        yield
    finally:
        os.close(handle)
