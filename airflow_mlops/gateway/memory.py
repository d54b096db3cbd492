"""How much memory the process holds, and how much it may."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_CGROUP_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_SHARE = 0.9


class MemoryGuard:
    """``problem`` says that the process holds more than it may, or is None. ``look`` asks the kernel.

    What would make it grow further is then refused: another version beside the champion, and large requests.
    Small requests are answered, since a server that answers nobody is of less use than one that is ended by
    the kernel and started again.
    """

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit = limit_bytes if limit_bytes is not None else usual_limit()
        self.problem: str | None = None

    def look(self) -> None:
        held = resident_bytes()
        self.problem = None
        if held is not None and self.limit is not None and held > self.limit:
            self.problem = (
                f"The server holds {held / 1024**2:.0f} MiB of memory and may hold "
                f"{self.limit / 1024**2:.0f} (--max-memory-mib)."
            )


def resident_bytes() -> int | None:
    """What the process holds in memory; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None


def usual_limit() -> int | None:
    """Nine tenths of what the container may hold, or else of the machine's memory."""
    limits = []
    with suppress(OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in _CGROUP_FILES:
        with suppress(OSError, ValueError):
            limits.append(int(file.read_text()))
    return int(_SHARE * min(limits)) if limits else None
