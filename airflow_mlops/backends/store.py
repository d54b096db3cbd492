"""The object store on a file system: whole files or none, and claims that only one writer wins."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from airflow_mlops.backends.one_writer import one_writer
from airflow_mlops.exceptions import StoreUnavailable

_NEXT_STEP = {
    errno.ENOSPC: "Free some space on that disk, then retry.",
    errno.EDQUOT: "Raise the quota or delete old reports, then retry.",
    errno.EROFS: "The file system is read-only: mount it writable, or set [mlops] store to another folder.",
    errno.EACCES: "Give the user that runs Airflow read and write access to it.",
    errno.EPERM: "Give the user that runs Airflow read and write access to it.",
    errno.ENOTDIR: "A file is in the place of a folder: move it away, or move [mlops] store elsewhere.",
    errno.EFBIG: "The object is larger than the file system or the process may write: raise the limit.",
}


class LocalStore:
    """Objects as files below ``root``; URIs are ``file://``.

    Names that start with a dot are the store's own (files being written): they are no keys and are never
    listed. Symbolic links below the root are followed, so an operator may put ``inference/`` on another disk;
    ``put_new`` needs a file system with hard links (every usual local one and NFS).
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()

    def put(self, key: str, body: bytes) -> str:
        """Write whole or not at all, replacing what was there; the object's URI."""
        path = self._path(key)
        with _told(path), _written_beside(path, body) as temporary:
            temporary.replace(path)
            _sync_folder(path.parent)
        return path.as_uri()

    def put_new(self, key: str, body: bytes) -> bool:
        """Write whole if the key is free; False, and nothing written, if it is taken.

        A hard link either makes the name with all its bytes or fails, also between machines on NFS;
        ``open(..., "x")`` would win the name first and could die before the bytes are there.
        """
        path = self._path(key)
        with _told(path), _written_beside(path, body) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
        return True

    @contextmanager
    def exclusive(self, key: str) -> Iterator[None]:
        """Nobody else holds this key, or the folder of this name, during the block."""
        self._path(key)
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        lock = self.root / ".locks" / name[:2] / f"{name}.lock"
        with _told(lock), one_writer(lock, f"{key} in the store {self.root}"):
            yield

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A file to write to, which becomes the object when the block ends without an error.

        Its name is the same each time, so that what a killed process left behind is written over.
        """
        path = self._path(key)
        temporary = path.with_name(f".{path.name}.tmp")
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield temporary
                _sync_file(temporary)
                temporary.replace(path)
                _sync_folder(path.parent)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """The bytes. Raises ``KeyError`` if there is no such key."""
        path = self._path(key)
        with _told(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError):
                raise KeyError(f"{key} is not in the store {self.root}") from None

    def keys(self, prefix: str) -> list[str]:
        """All keys below a folder (``ledger/flight_delay``, with or without a last ``/``), sorted.

        An empty prefix lists the whole store. ``ledger/a`` does not list what is below ``ledger/ab``.
        """
        folder = self._path(prefix.rstrip("/")) if prefix.strip("/") else self.root
        found: list[str] = []
        with _told(folder):
            if not folder.is_dir():
                return found
            for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
                folders[:] = [name for name in folders if not name.startswith(".")]
                below = Path(parent).relative_to(self.root).as_posix()
                # A path object for each name is most of the cost, and a ledger has ten thousands of names.
                before = "" if below == "." else f"{below}/"
                found += [f"{before}{name}" for name in names if not name.startswith(".")]
        return sorted(found)

    def uri(self, key: str) -> str:
        """The ``file://`` URI of a key, there or not."""
        return self._path(key).as_uri()

    def local_path(self, uri: str) -> Path:
        """The file behind a URI of this store, or behind a key. Raises ``KeyError`` if there is none."""
        path = self._path_of_uri(uri) if "://" in uri else self._path(uri)
        with _told(path):
            if not path.is_file():
                raise KeyError(f"{uri} is not in the store {self.root}")
        return path

    def _path_of_uri(self, uri: str) -> Path:
        parts = urlsplit(uri)
        path = Path(unquote(parts.path))
        if parts.scheme != "file" or not path.is_relative_to(self.root):
            raise KeyError(f"{uri} is not below the store {self.root}; is [mlops] store the same everywhere?")
        return self._path(path.relative_to(self.root).as_posix())

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or "\0" in key or any(not part or part.startswith(".") for part in parts):
            raise ValueError(
                f"{key!r} is not a key of the store: keys are relative, with '/' between their parts, "
                "and no part is empty or starts with a dot"
            )
        return self.root / PurePosixPath(key)


@contextmanager
def _written_beside(path: Path, body: bytes) -> Iterator[Path]:
    """The body on disk under a name of its own in the same folder; the name is gone afterwards.

    ``open`` rather than ``tempfile``: the object gets the permissions of the umask, so that a model server
    under another user can read it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        # A failing disk must not hide the error that brought us here.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_file(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn an operating system's error into one that names the path, the cause and the next step."""
    try:
        yield
    except OSError as error:
        next_step = _NEXT_STEP.get(error.errno or 0, "Check that the disk is there and healthy, then retry.")
        cause = error.strerror or str(error)
        raise StoreUnavailable(f"the store cannot use {path}: {cause}. {next_step}") from error


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
