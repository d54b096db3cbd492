"""Where the Parquet files of the inference log are kept: a folder on disk or in a bucket.

Names are relative, with ``/`` between their parts. Both kinds show a file whole or not at all, and a listing
made after a file was written has it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from airflow_mlops.exceptions import ConfigError, StoreUnavailable

# What pyarrow's own file systems are called; no other library is asked.
_BUCKETS = ("s3://", "gs://", "gcs://", "abfs://", "abfss://")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that pyarrow reads from a bucket."""

    filesystem: Any
    path: str

    def __str__(self) -> str:
        return self.path


class LogFolder(Protocol):
    """A folder of Parquet files."""

    def names(self) -> list[str]:
        """Every file below the folder that is not being written, sorted. Raises ``StoreUnavailable``."""

    def file(self, name: str) -> Path | RemoteFile:
        """What pyarrow can read the file by, there or not."""

    def writing(self, name: str) -> contextlib.AbstractContextManager[Any]:
        """A file to write; it is there, whole, when the block ends, and not at all where the block raises."""

    def remove(self, name: str) -> None:
        """Nothing happens where it is gone already."""

    def remove_folder(self, name: str) -> None:
        """A folder with all that is in it."""


def log_folder(location: str | Path, model: str) -> LogFolder:
    """A model's folder below a path, or in the bucket that a URI names. Raises ``ConfigError`` for another
    URI."""
    text = str(location)
    if text.startswith(_BUCKETS):
        place, question_mark, options = text.partition("?")
        return BucketFolder(f"{place.rstrip('/')}/{model}{question_mark}{options}")
    if "://" in text:
        raise ConfigError(
            f"The inference log cannot be kept at {text}: expected a folder, or a URI that begins with "
            f"{', '.join(_BUCKETS)}."
        )
    return DiskFolder(Path(location) / model)


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """A folder on disk. Files are written under a name that begins with a dot, and renamed."""

    root: Path

    def names(self) -> list[str]:
        found = []
        for parent, folders, files in os.walk(self.root, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(parent).relative_to(self.root)
            found += [(below / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def file(self, name: str) -> Path:
        return self.root / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            self._sync(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        shutil.rmtree(self.root / name, ignore_errors=True)

    def remove_unfinished(self) -> None:
        """What was being written when a process was killed. Nobody may be writing now."""
        for leftover in self.root.glob("date=*/.*.tmp"):
            leftover.unlink(missing_ok=True)

    def _sync(self, folder: Path) -> None:
        """A name must be on disk before what it stands for is removed."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class BucketFolder:
    """A prefix in a bucket, by pyarrow's own file systems (S3 and what speaks its protocol, GCS, Azure).

    Credentials are those of the process: for S3 the variables, files and roles that AWS's tools take. A URI
    may name another server: ``s3://bucket/logs?endpoint_override=minio:9000&scheme=http``.
    """

    def __init__(self, uri: str) -> None:
        import pyarrow as pa
        from pyarrow import fs

        self._uri = uri
        try:
            self._filesystem, self._root = fs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise ConfigError(f"The inference log cannot be kept at {uri}: {error}") from error

    def names(self) -> list[str]:
        from pyarrow import fs

        selector = fs.FileSelector(self._root, recursive=True, allow_not_found=True)
        with self._told():
            infos = self._filesystem.get_file_info(selector)
        found = (info.path.removeprefix(f"{self._root}/") for info in infos if info.type == fs.FileType.File)
        return sorted(found)

    def file(self, name: str) -> RemoteFile:
        return RemoteFile(self._filesystem, self._path(name))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        # An upload is completed by closing it, whatever the reason: so it is begun when there is no more
        # that can go wrong but the network.
        import pyarrow as pa

        buffer = pa.BufferOutputStream()
        yield buffer
        with self._told(), self._filesystem.open_output_stream(self._path(name)) as file:
            file.write(buffer.getvalue())

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._told():
            self._filesystem.delete_file(self._path(name))

    def remove_folder(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._told():
            self._filesystem.delete_dir(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailable(
                f"The inference log at {self._uri} cannot be used: {error}. Check the bucket, the "
                "credentials of this process and the network; what is not written yet is tried again."
            ) from error
