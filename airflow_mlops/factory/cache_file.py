"""The file that keeps compiled models: SQLite, shared by every process that parses."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

log = logging.getLogger(__name__)

# Name and layout go together: a release that stores otherwise takes another name.
NAME = "plans-1.sqlite"
MAX_ROWS = 50_000
_TABLES = """
create table if not exists plans (
    key blob not null, variant blob not null, sources text not null, record blob not null,
    checksum blob not null, unique (key, variant));
create table if not exists places (
    model text not null, place text not null, unique (model, place));
"""

T = TypeVar("T")


class Kept(NamedTuple):
    """What was made of a file while the files it leans on were as ``sources`` (JSON) tells."""

    variant: bytes
    sources: str
    record: bytes
    checksum: bytes


class CacheFile:
    """Reads and writes rows. A file that is locked, damaged, read-only or on a full disk answers nothing and
    keeps nothing; a damaged one is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @classmethod
    def at(cls, folder: Path) -> CacheFile | None:
        """In a folder of this user's alone, which is made where it is missing: plans become DAGs, so
        who could write them could say what Airflow runs. None, and a line in the log, otherwise."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
        except OSError as error:
            log.info("No cache of plans: %s: %s", folder, error.strerror or error)
            return None
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
            log.warning(
                "No cache of plans: %s belongs to somebody else or others may write to it. Let [mlops] "
                "cache_folder name a folder of this user's own, or nothing.",
                folder,
            )
            return None
        return cls(folder / NAME)

    def variants(self, key: bytes) -> list[Kept]:
        """All that is known under a key, the latest first."""

        def read(opened: sqlite3.Connection) -> list[Kept]:
            select = "select variant, sources, record, checksum from plans where key = ? order by rowid desc"
            return [Kept(*row) for row in opened.execute(select, (key,))]

        return self._tried(read) or []

    def places(self, model: str) -> list[str]:
        """Where a model was found, the latest first."""

        def read(opened: sqlite3.Connection) -> list[str]:
            select = "select place from places where model = ? order by rowid desc"
            return [place for (place,) in opened.execute(select, (model,))]

        return self._tried(read) or []

    def write_variants(self, rows: Iterable[tuple[bytes, Kept]]) -> None:
        """All rows or none. The oldest make room."""

        def write(opened: sqlite3.Connection) -> None:
            values = [(key, one.variant, one.sources, one.record, one.checksum) for key, one in rows]
            opened.executemany("insert or replace into plans values (?, ?, ?, ?, ?)", values)
            oldest = "delete from plans where rowid <= (select max(rowid) from plans) - ?"
            opened.execute(oldest, (MAX_ROWS,))

        self._tried(_in_one_go(write))

    def write_places(self, places: Mapping[str, str]) -> None:
        """The places that are new; mostly none are, and then nothing is written."""

        def known(opened: sqlite3.Connection) -> set[tuple[str, str]]:
            return set(opened.execute("select model, place from places"))

        new = sorted(places.items() - (self._tried(known) or set()))

        def write(opened: sqlite3.Connection) -> None:
            opened.executemany("insert or replace into places values (?, ?)", new)
            oldest = "delete from places where rowid <= (select max(rowid) from places) - ?"
            opened.execute(oldest, (MAX_ROWS,))

        if new:
            self._tried(_in_one_go(write))

    def close(self) -> None:
        """Let go of the file; it is opened again where it is asked once more."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _tried(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What the work gives; None where the file does not let it."""
        try:
            if self._opened is None:
                # Whoever writes is done in milliseconds, and reading a YAML takes no longer than this.
                self._opened = sqlite3.connect(self.path, timeout=0.25, isolation_level=None)
            return work(self._opened)
        except sqlite3.OperationalError as error:  # locked, read-only, full, or without tables yet
            log.debug("%s: %s", self.path, error)
            self.close()
        except sqlite3.Error as error:
            log.info("%s is damaged (%s) and is begun anew", self.path, error)
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
                self.path.with_name(f"{NAME}-journal").unlink(missing_ok=True)
        return None


def _in_one_go(write: Callable[[sqlite3.Connection], None]) -> Callable[[sqlite3.Connection], None]:
    """As one transaction, which ends with the connection where something is in its way."""

    def transaction(opened: sqlite3.Connection) -> None:
        opened.execute("pragma busy_timeout = 1000")
        opened.executescript(_TABLES)
        opened.execute("begin immediate")
        write(opened)
        opened.execute("commit")

    return transaction
