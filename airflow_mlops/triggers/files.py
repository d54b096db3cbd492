"""New files at a path: the watcher behind ``schedule.watch`` of type ``files``."""

from __future__ import annotations

import asyncio
import glob
import stat
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_mlops.hooks.backends import store_root
from airflow_mlops.triggers.events import Trigger, event

_STATE_KEY = "new_files"
_NAMED = 20  # files that an event names; it counts them all

Files = Mapping[str, tuple[int, int]]
"""Path to when it last changed (``ctime`` in nanoseconds) and its size."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been announced already: every file that changed before ``ctime``, and ``names`` of those that
    changed at that very moment.

    The change time is the file system's own: unlike the modification time it also moves when a file is
    renamed into the folder, and ``cp -p`` or ``rsync -t`` cannot set it back.
    """

    ctime: int = 0
    names: frozenset[str] = frozenset()

    def new(self, files: Files) -> list[str]:
        """Those that came or changed since, by name."""
        return sorted(
            name
            for name, (ctime, _) in files.items()
            if ctime > self.ctime or (ctime == self.ctime and name not in self.names)
        )

    def with_files(self, files: Files) -> Seen:
        """The same after these have been announced as well."""
        latest = max((ctime for ctime, _ in files.values()), default=0)
        if latest < self.ctime:
            return self
        names = frozenset(name for name, (ctime, _) in files.items() if ctime == latest)
        return Seen(latest, names | self.names if latest == self.ctime else names)


class NewFilesTrigger(Trigger, BaseEventTrigger):
    """Looks at a file, a folder or a glob, and tells of files that came or changed since it last told of any.

    Names that start with ``.`` or ``_`` are being written, or are no data, as for the Parquet source. A file
    counts once two looks in a row see it alike, so that one which is being written is not read by
    half. What is there at the very first look is not new. The watermark is in Airflow's store of asset
    states, so a triggerer that is restarted tells of nothing twice, and of what came while it was away.
    Before Airflow 3.3 it is in the triggerer's memory: what came meanwhile is taken to be there already.
    """

    arguments = ("asset", "path", "poll_interval")

    def __init__(self, *, asset: str, path: str, poll_interval: float) -> None:
        super().__init__()
        self.asset = asset
        self.path = path
        self.poll_interval = poll_interval

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """An event for each look that finds something new, without an end."""
        pattern = str(Path(store_root()).expanduser() / self.path)  # an absolute path stays what it is
        before = await self._look(pattern)
        seen = await self._recall()
        if seen is None:
            seen = Seen().with_files(before)
            await self._remember(seen)
            self.log.info("Watching %s for new files; %s are there already", pattern, len(before))
        while True:
            await asyncio.sleep(self.poll_interval)
            now = await self._look(pattern)
            settled = {name: found for name, found in now.items() if before.get(name) == found}
            before = now
            if not (new := seen.new(settled)):
                continue
            self.log.info("New at %s: %s", pattern, ", ".join(new[:_NAMED]))
            yield event({"path": self.path, "count": len(new), "files": new[:_NAMED]})
            seen = seen.with_files({name: settled[name] for name in new})
            await self._remember(seen)

    async def _look(self, pattern: str) -> Files:
        try:
            return await asyncio.to_thread(_files, pattern)
        except OSError as error:  # a mount that is away for a while
            self.log.warning("Cannot look at %s: %s", pattern, error)
            return {}

    async def _recall(self) -> Seen | None:
        """What an earlier triggerer left, if it watched this very path."""
        store = getattr(self, "asset_state_store", None)
        kept: Any = None if store is None else await store.aget(_STATE_KEY)
        if not isinstance(kept, dict) or kept.get("path") != self.path:
            return None
        return Seen(int(kept["ctime"]), frozenset(kept["names"]))

    async def _remember(self, seen: Seen) -> None:
        store = getattr(self, "asset_state_store", None)
        if store is not None:
            value = {"path": self.path, "ctime": str(seen.ctime), "names": sorted(seen.names)}
            await store.aset(_STATE_KEY, value)


def _files(pattern: str) -> Files:
    found: dict[str, tuple[int, int]] = {}
    if Path(pattern).is_dir():
        pattern = str(Path(pattern) / "**" / "*")
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 (Path.glob wants a relative pattern)
        try:
            told = Path(name).stat()
        except FileNotFoundError:  # gone between the two calls
            continue
        if stat.S_ISREG(told.st_mode) and not Path(name).name.startswith("_"):
            found[name] = (told.st_ctime_ns, told.st_size)
    return found
