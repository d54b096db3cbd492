"""A column of categories: what is kept of the reference, and what one pass over other rows counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

MOST_CATEGORIES = 2_000
MOST_NEW = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class CategoryProfile:
    """The most frequent categories and the rows of each; ``rest`` are the rows of all that are not kept. Of
    ``missing`` rows nothing is known. All slices of a column share ``names``."""

    names: tuple[str, ...]
    counts: Codes
    rest: int
    missing: int

    @property
    def rows(self) -> int:
        """The rows that have a category."""
        return int(self.counts.sum()) + self.rest

    @property
    def missing_share(self) -> float:
        total = self.rows + self.missing
        return self.missing / total if total else 0.0


def most_frequent(places: Codes, names: Sequence[str], most: int = MOST_CATEGORIES) -> tuple[str, ...]:
    """The names that the most rows have, the most frequent first; equal ones by name."""
    import numpy as np

    counts: dict[str, int] = {}
    found = np.bincount(places[places >= 0], minlength=len(names)).tolist()
    for name, rows in zip(names, found, strict=True):
        if rows:
            counts[name] = counts.get(name, 0) + rows
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:most])


class CategoryCounts:
    """Counts rows of known categories in any number of groups at once, batch after batch."""

    def __init__(self, names: Sequence[str], groups: int = 1) -> None:
        import numpy as np

        self._known = {name: place for place, name in enumerate(names)}
        self._width = len(names) + 2
        self._table = np.zeros(groups * self._width, dtype=np.int64)
        self._new: set[str] = set()

    def recoded(self, places: Codes, names: Sequence[str]) -> Codes:
        """A batch's codes as places among the known names; then come unknown ones, then missing ones."""
        import numpy as np

        unknown, missing = self._width - 2, self._width - 1
        own = np.fromiter((self._known.get(name, unknown) for name in names), np.int64, len(names))
        found: Codes = np.append(own, missing)[places]
        if len(self._new) < MOST_NEW and (own == unknown).any():
            used = np.bincount(places[places >= 0], minlength=len(names)) > 0
            fresh = np.flatnonzero(used & (own == unknown))[: MOST_NEW - len(self._new)]
            self._new.update(names[index] for index in fresh)
        return found

    def add(self, recoded: Codes, groups: Codes | None = None) -> None:
        """Count a batch; ``groups`` says where each row belongs, -1 is nowhere."""
        import numpy as np

        if groups is not None:
            inside = groups >= 0
            recoded = groups[inside] * self._width + recoded[inside]
        self._table += np.bincount(recoded, minlength=len(self._table))

    def of(self, group: int = 0) -> tuple[Codes, int, int]:
        """Of a group the rows of each known category, of unknown ones, and without one."""
        row = self._table[group * self._width : (group + 1) * self._width]
        return row[:-2], int(row[-2]), int(row[-1])

    @property
    def new_names(self) -> int:
        """How many unknown categories were met; ``MOST_NEW`` stands for that many or more."""
        return len(self._new)
