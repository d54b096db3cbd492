"""The rows of a partition that go to the inference log: a sample by key, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class SmallestHashes:
    """Keeps the rows with the ``most`` smallest hashes of all that it is shown.

    A hash of the key has nothing to do with the row, so these are a random sample, drawn without knowing how
    many rows there will be (bottom-k sampling; Cohen and Kaplan, PODC 2007), and the same one each time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: list[pd.DataFrame] = []
        self._hashes: list[Any] = []
        self._held = 0
        self._limit: Any = None

    def wanted(self, hashes: Any) -> Any:
        """Which of these rows may be among the smallest: only they have to be put together."""
        import numpy as np

        if not self._most:
            return np.zeros(len(hashes), dtype=bool)
        return np.ones(len(hashes), dtype=bool) if self._limit is None else hashes <= self._limit

    def add(self, frame: pd.DataFrame, hashes: Any) -> None:
        """Take up rows that are wanted."""
        if not len(frame):
            return
        self._frames.append(frame)
        self._hashes.append(hashes)
        self._held += len(frame)
        if self._held > 2 * self._most:
            self._cut()

    def frames(self) -> Sequence[pd.DataFrame]:
        """The rows, in one frame or none."""
        if self._held > self._most:
            self._cut()
        return self._frames

    def _cut(self) -> None:
        import numpy as np
        import pandas as pd

        frame, found = pd.concat(self._frames, ignore_index=True), np.concatenate(self._hashes)
        kept = np.sort(np.argpartition(found, self._most - 1)[: self._most])
        self._frames, self._hashes = [frame.iloc[kept].reset_index(drop=True)], [found[kept]]
        self._held, self._limit = self._most, found[kept].max()
