"""Which files of a folder belong to its snapshot, what is in them, and what had to be left out."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_mlops.exceptions import BundleRefused

IGNORE_FILE = ".airflowignore"
SUFFIXES = (".yaml", ".yml", ".py", ".json")
MAX_ENTRIES = 100_000
MAX_FILES = 20_000
MAX_FILE_BYTES = 5 * 1024**2
MAX_BYTES = 64 * 1024**2

# A file may change twice within one tick of its file system's clock, which can be as coarse as two seconds.
_TICK_NS = 2_000_000_000
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folder: its name below it with ``/``, and where it really lies."""

    name: str
    file: Path
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds at a moment. ``stamp`` is equal for two moments between which nothing changed,
    and None where the clock cannot tell: a file was changed just now. ``refused`` says for each name why
    it is left out.
    """

    entries: tuple[Entry, ...]
    refused: dict[str, str]
    marks: str
    stamp: str | None


def list_folder(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> Listing:
    """The files with these suffixes at and below a folder, without hidden ones (``.airflowignore`` apart).

    Links are followed as far as they stay inside: a mounted ConfigMap consists of such links. One that
    leads out is refused, since what a link names is its author's and the right to read it is Airflow's.
    Raises ``BundleRefused`` if there is no such folder or it holds too much.
    """
    root = Path(os.path.realpath(folder))
    if not root.is_dir():
        raise BundleRefused(f"{folder}: no such folder; check path in [dag_processor] dag_bundle_config_list")
    entries: list[Entry] = []
    refused: dict[str, str] = {}
    marks = hashlib.sha256()
    newest = 0
    for name, entry in _walk(root, folder, suffixes, refused):
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue  # gone since it was listed
        if status.st_size > MAX_FILE_BYTES:
            refused[name] = f"it is larger than {MAX_FILE_BYTES} bytes"
        else:
            entries.append(Entry(name, Path(os.path.realpath(entry.path)), status.st_size))
        seen = (name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        marks.update(repr(seen).encode("utf-8", "surrogateescape"))
        newest = max(newest, status.st_mtime_ns, status.st_ctime_ns)
    if len(entries) > MAX_FILES or sum(entry.size for entry in entries) > MAX_BYTES:
        raise _too_much(folder, f"more than {MAX_FILES} files or {MAX_BYTES} bytes of them")
    marks.update(repr(sorted(refused.items())).encode("utf-8", "surrogateescape"))
    digest = marks.hexdigest()
    settled = newest < time.time_ns() - _TICK_NS
    return Listing(tuple(entries), refused, digest, digest if settled else None)


def read_folder(
    folder: Path, suffixes: tuple[str, ...] = SUFFIXES
) -> tuple[dict[str, bytes], dict[str, str], str | None]:
    """The files by name, the names left out with the reason, and the listing's stamp.

    Somebody may be writing meanwhile: what changed while it was read is read again, a few times; the stamp
    is None where it never came to rest. Raises ``BundleRefused`` as ``list_folder`` does.
    """
    listing = list_folder(folder, suffixes)
    for _ in range(_ATTEMPTS):
        files, refused = _read(listing)
        after = list_folder(folder, suffixes)
        if after.marks == listing.marks:
            return files, refused, listing.stamp
        listing = after
    return files, refused, None


def _walk(
    root: Path, folder: Path, suffixes: tuple[str, ...], refused: dict[str, str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    open_folders: list[tuple[Path, str, tuple[Path, ...]]] = [(root, "", ())]
    count = 0
    while open_folders:
        place, above, ancestors = open_folders.pop()
        try:
            with os.scandir(place) as found:
                inside = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not above:
                raise BundleRefused(f"{folder} cannot be read: {error.strerror or error}") from error
            refused[above.rstrip("/")] = f"it cannot be read: {error.strerror or error}"
            continue
        count += len(inside)
        if count > MAX_ENTRIES:
            raise _too_much(folder, f"more than {MAX_ENTRIES} files and folders")
        for entry in inside:
            name = above + entry.name
            if _is_passed_over(entry.name):
                continue
            wanted = entry.name.endswith(suffixes) or entry.name == IGNORE_FILE
            if reason := _leads_astray(entry, root):
                if wanted or entry.is_dir():
                    refused[name] = reason
            elif entry.is_dir():
                here = Path(os.path.realpath(entry.path))
                if here != place and here not in ancestors:
                    open_folders.append((here, f"{name}/", (*ancestors, place)))
            elif wanted and entry.is_file():  # no pipe, which would be read for ever
                yield name, entry


def _is_passed_over(name: str) -> bool:
    return (name.startswith(".") and name != IGNORE_FILE) or name == "__pycache__"


def _leads_astray(entry: os.DirEntry[str], root: Path) -> str | None:
    if not entry.is_symlink():
        return None
    target = Path(os.path.realpath(entry.path))
    if not target.exists():
        return f"it is a link to {target}, which is not there"
    if not target.is_relative_to(root):
        return f"it is a link to {target}, outside of the bundle's folder: put the file itself there"
    return None


def _read(listing: Listing) -> tuple[dict[str, bytes], dict[str, str]]:
    files: dict[str, bytes] = {}
    refused = dict(listing.refused)
    for entry in listing.entries:
        try:
            entry.name.encode("utf-8")
            body = _content(entry.file)
        except UnicodeEncodeError:
            refused[entry.name] = "its name is not UTF-8"
        except FileNotFoundError:
            continue  # gone since it was listed
        except OSError as error:
            refused[entry.name] = f"it cannot be read: {error.strerror or error}"
        else:
            files[entry.name] = body
    return files, refused


def _content(file: Path) -> bytes:
    # The path was resolved when it was checked; a link or a pipe in its place by now is not followed.
    opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError("not a file any more")
        body = stream.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES} bytes")
    return body


def _too_much(folder: Path, what: str) -> BundleRefused:
    return BundleRefused(
        f"{folder} holds {what}, which is more than one bundle takes: point the bundle at the folder "
        "of the configurations alone, or make several bundles"
    )
