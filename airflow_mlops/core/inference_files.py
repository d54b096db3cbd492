"""The names of the inference log's files, and which of them count. Pure.

A raw segment ``raw/<id>.open`` grows, ``raw/<id>.log`` is closed; it becomes the part
``date=<day>/<time>.parquet`` whose name is the segment's, and the parts of a day become one day file that
lists what it replaces. A name that another one stands for does not count, so that a row counts once however
far a compaction came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

RAW = "raw"
DAY_FILE = "day-"


def segment_id(received_at: datetime, unique: str) -> str:
    """The name of a segment whose first row was received then; it begins with the day that its part is of."""
    return f"{received_at:%Y-%m-%dT%H%M%S%f}-{unique}"


def segment_of(name: str) -> str | None:
    """The id of a segment's file, open or closed; None for another file."""
    folder, _, file = name.rpartition("/")
    stem, _, kind = file.rpartition(".")
    return stem if folder == RAW and kind in ("open", "log") else None


def part_of(segment: str) -> str:
    """The name of the part that a segment becomes."""
    day, _, time = segment.partition("T")
    return f"date={day}/{time}.parquet"


def is_parquet(name: str) -> bool:
    """Whether a file is a part or a day file. Names with a leading dot or underscore are being written."""
    return name.endswith(".parquet") and not any(one.startswith((".", "_")) for one in name.split("/"))


def is_day_file(name: str) -> bool:
    return is_parquet(name) and name.rpartition("/")[2].startswith(DAY_FILE)


def day_of(name: str) -> date | None:
    """The day whose folder a file lies in; None outside of such a folder."""
    folder = name.partition("/")[0]
    try:
        return date.fromisoformat(folder.removeprefix("date=")) if folder.startswith("date=") else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Counting:
    """The files whose rows count, each once: ``segments`` are raw, by name."""

    segments: tuple[str, ...]
    parquet: tuple[str, ...]


def counting(names: Iterable[str], replaces: Mapping[str, Iterable[str]]) -> Counting:
    """Which of these files count. ``replaces`` has the names that each day file says it stands for.

    A segment that was renamed while it was listed may be there under both its names; the closed one counts.
    """
    parquet = {name for name in names if is_parquet(name)}
    replaced = {name for others in replaces.values() for name in others}
    # A day file can itself be replaced by a later one; what it stands for is then in that one.
    kept = parquet - replaced
    segments: dict[str, str] = {}
    for name in sorted(names):
        segment = segment_of(name)
        if segment is None or part_of(segment) in parquet | replaced:
            continue
        if segment not in segments or name.endswith(".log"):
            segments[segment] = name
    return Counting(tuple(segments.values()), tuple(sorted(kept)))


def vanished(before: Iterable[str], after: Iterable[str]) -> bool:
    """Whether a listing may have missed a file that stands for another.

    A folder is not listed in one instant. Whoever replaces a file writes the new one first and then removes
    the old one. So a listing that misses both was under way while the old one was removed, and the listing
    before it had the old one: it is gone from the later of the two.
    """
    return not _identities(before) <= _identities(after)


def _identities(names: Iterable[str]) -> set[str]:
    return {segment_of(name) or name for name in names}
