"""Snapshots kept in the store, one ZIP file each, for runs that outlive Airflow's own copies."""

from __future__ import annotations

import os
import time
import uuid
import zipfile
from pathlib import Path

from airflow_mlops.bundles.reading import MAX_BYTES
from airflow_mlops.bundles.snapshot import Snapshot
from airflow_mlops.exceptions import BundleRefused, StoreUnavailable

KEPT_AT_LEAST = 10
_SECONDS_A_DAY = 86_400


class Archive:
    """A folder that every machine sees which parses DAGs or runs tasks.

    Airflow removes its copy of a version that was not used for some hours; a git bundle clones it again, a
    plain folder has no history to take it from. A rollout may wait for days between two of its tasks.
    """

    def __init__(self, folder: Path, *, keep_days: int) -> None:
        self._folder = folder
        self._keep_days = keep_days

    def keep(self, snapshot: Snapshot) -> None:
        """Store a snapshot, or mark one that is stored as used now. Raises ``StoreUnavailable``."""
        try:
            if self._is_marked(snapshot.version):
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".{uuid.uuid4().hex}"
            try:
                with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as packed:
                    for name in sorted(snapshot.files):
                        packed.writestr(zipfile.ZipInfo(name), snapshot.files[name], zipfile.ZIP_DEFLATED)
                draft.replace(self._file(snapshot.version))
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._unavailable(error) from error

    def mark(self, version: str) -> None:
        """Count the time for which a version is kept from now on."""
        try:
            self._is_marked(version)
        except OSError as error:
            raise self._unavailable(error) from error

    def fetch(self, version: str) -> Snapshot:
        """The snapshot of a version, and that it is this one. Raises ``BundleRefused`` where it is not
        there or not what its name says, ``StoreUnavailable``."""
        file = self._file(version)
        try:
            self._is_marked(version)
            with zipfile.ZipFile(file) as packed:
                if sum(info.file_size for info in packed.infolist()) > 2 * MAX_BYTES:
                    raise BundleRefused(f"{file} unpacks to more than {2 * MAX_BYTES} bytes")
                snapshot = Snapshot({info.filename: packed.read(info) for info in packed.infolist()})
        except FileNotFoundError:
            raise BundleRefused(
                f"version {version[:12]} of the configurations is neither on this machine nor at {file}. "
                f"Snapshots are kept for {self._keep_days} days after their last use (keep_days), and "
                "every machine has to see the same store. Start a new run of the DAG."
            ) from None
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            raise BundleRefused(f"{file} is damaged ({error}): start a new run of the DAG") from error
        except OSError as error:
            raise self._unavailable(error) from error
        if snapshot.version != version:
            # The store is writable for many, and this is code: what was changed in it is not run.
            raise BundleRefused(f"{file} does not hold what its name says: remove it, start a new run")
        return snapshot

    def prune(self) -> None:
        """Remove what was not used for ``keep_days``, but never the newest ten."""
        oldest_kept = time.time() - self._keep_days * _SECONDS_A_DAY
        try:
            used = sorted(((file.stat().st_mtime, file) for file in self._folder.glob("*.zip")), reverse=True)
            for moment, file in used[KEPT_AT_LEAST:]:
                if moment < oldest_kept:
                    file.unlink(missing_ok=True)
        except FileNotFoundError:
            return  # another process prunes as well
        except OSError as error:
            raise self._unavailable(error) from error

    def _is_marked(self, version: str) -> bool:
        try:
            os.utime(self._file(version))
        except FileNotFoundError:
            return False
        except PermissionError:  # a worker that may only read
            return self._file(version).exists()
        return True

    def _file(self, version: str) -> Path:
        return self._folder / f"{version}.zip"

    def _unavailable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"the bundle's snapshots cannot be kept at {self._folder}: {error.strerror or error}. "
            "It is below [mlops] store unless the bundle's archive names another folder."
        )
