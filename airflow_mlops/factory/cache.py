"""Compiled models on disk, found again by the content of every file that decides about them.

Airflow parses in a new process each time: all files in the DAG processor, one model's at the start of every
task. What is found here needs neither the YAML reader nor the types, only a few hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pydantic

import airflow_mlops
from airflow_mlops.factory.cache_file import CacheFile, Kept
from airflow_mlops.factory.compiled import Compiled, ConfigText
from airflow_mlops.factory.fingerprint import Fingerprints, marked
from airflow_mlops.plan.stored import plan_from_json, plan_to_json

if TYPE_CHECKING:
    from airflow_mlops.config.layers import Dependency
    from airflow_mlops.config.site import Site

_BATCH = 200
_DECIDING = ("config", "core", "plan")  # the rooms whose code turns a YAML into a plan


class PlanCache:
    """Finds and keeps compiled models. Every trouble with the disk ends in reading the YAML, never in an
    error; only what was read without a problem is kept.

    A site decides too: by its profile and allowed packages, and by how far above a file it lets layers
    count. Close the cache, or use it in a ``with`` block: that is when the last models are written.
    ``missed`` counts what was asked for and not found.
    """

    def __init__(self, folder: Path | None) -> None:
        self._code = _code()
        self._file = CacheFile.at(folder) if folder is not None and self._code else None
        self._files = Fingerprints()
        self._new: list[tuple[bytes, Kept]] = []
        self.missed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, path: Path, site: Site) -> Compiled | None:
        """What is known of the file at ``path`` as it and the files it leans on are now."""
        found = self._kept(path, site, self._file) if self._file else None
        self.missed += found is None
        return found

    def put(self, path: Path, site: Site, compiled: Compiled, leans_on: Iterable[Dependency]) -> None:
        """Keep what was made of a file and the files it leans on, of which it is one."""
        if self._file is None:
            return
        folder = str(path.parent)
        prints = {
            place: marked(one.sha256, folder, place)
            for one in leans_on
            if (place := os.path.relpath(one.path, folder))
        }
        key = self._key(prints.pop(path.name), path, site)
        sources = json.dumps(sorted(prints.items()))
        stored = {"config": compiled.config.text, "plan": plan_to_json(compiled.plan)}
        record = zlib.compress(json.dumps(stored).encode(), level=1)
        kept = Kept(hashlib.sha256(sources.encode()).digest(), sources, record, b"")
        self._new.append((key, kept._replace(checksum=_checksum(key, kept))))
        if len(self._new) >= _BATCH:
            self._write()

    def places(self, model: str) -> list[str]:
        """Where a model's file was found, relative to the folder that was searched: a hint, no more."""
        return self._file.places(model) if self._file else []

    def found(self, places: Mapping[str, str]) -> None:
        """Keep where each model's file was found, for ``places``."""
        if self._file:
            self._file.write_places(places)

    def close(self) -> None:
        """Write what is new."""
        if self._file is not None:
            self._write()
            self._file.close()

    def _kept(self, path: Path, site: Site, file: CacheFile) -> Compiled | None:
        folder = str(path.parent)
        key = self._key(self._files.fingerprint(folder, path.name), path, site)
        for kept in file.variants(key):
            if kept.checksum == _checksum(key, kept) and self._is_as(folder, kept.sources):
                return _compiled(kept.record)
        return None

    def _write(self) -> None:
        if self._new and self._file is not None:
            self._file.write_variants(self._new)
            self._new.clear()

    def _key(self, own: str | None, path: Path, site: Site) -> bytes:
        told = [str(self._code), str(len(site.folders(path))), repr(site.profile), *site.imports, str(own)]
        return hashlib.sha256("\0".join(told).encode()).digest()

    def _is_as(self, folder: str, sources: str) -> bool:
        """Whether every file is what it was, and none has come where there was none."""
        return all(self._files.fingerprint(folder, place) == known for place, known in json.loads(sources))


def _checksum(key: bytes, kept: Kept) -> bytes:
    """What a damaged row does not have."""
    return hashlib.sha256(b"\0".join((key, kept.variant, kept.sources.encode(), kept.record))).digest()


def _compiled(record: bytes) -> Compiled | None:
    try:
        stored: dict[str, Any] = json.loads(zlib.decompress(record))
        return Compiled(ConfigText(stored["config"]), plan_from_json(stored["plan"]))
    except (KeyError, TypeError, ValueError, zlib.error):
        return None


def _code() -> str | None:
    """Names the code that makes plans: the versions, and for a package that is edited in place its files'
    sizes and times, which cost a fraction of a millisecond. None where it cannot be told (a zipped package).
    """
    home = Path(airflow_mlops.__file__).parent
    try:
        files = sorted(_code_files([home / room for room in _DECIDING]))
    except OSError:
        return None
    return "\n".join((airflow_mlops.__version__, platform.python_version(), pydantic.VERSION, *files))


def _code_files(folders: Iterable[Path | str]) -> Iterable[str]:
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    told = entry.stat()
                    yield f"{entry.name} {told.st_size} {told.st_mtime_ns}"
                elif entry.is_dir() and entry.name != "__pycache__":
                    yield from _code_files([entry.path])
