"""One gateway per model and store, held by a lock that the kernel takes back however the process ends."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from airflow_mlops.exceptions import ConfigError


class StoreClaim:
    """Two gateways would each keep their own traffic state and overwrite the other's on the disk: a
    rollout that was rolled back would come back with the next restart."""

    def __init__(self, store: Path, model: str) -> None:
        self._path = store / "traffic" / f"{model}.lock"
        self._store = store
        self._model = model
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Raises ``ConfigError`` if another gateway has it. A store that cannot be written or has no
        locks cannot be claimed; the gateway serves from it all the same."""
        import fcntl

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise ConfigError(
                f"Another gateway serves {self._model} from {self._store}; end it first, or give this one a "
                "--store of its own."
            ) from error
        except OSError:
            self.release()

    def release(self) -> None:
        """Let the next gateway start."""
        if self._file is not None:
            self._file.close()
            self._file = None
