"""KSWIN: are the latest numbers of another distribution?"""

from __future__ import annotations

from collections import deque
from math import comb
from random import Random

from airflow_mlops.core.detectors.base import State


class Kswin:
    """Compares the ``recent`` latest numbers of a sliding window of ``window`` with as many of the older
    ones, drawn at random, by the test of Kolmogorov and Smirnov at ``alpha``.

    Raab, Heusinger and Schleif (2020), "Reactive soft prototype computing for concept drift streams",
    Neurocomputing 416:340. Whether it is a drift or an improvement is said by the means. Equal seeds draw
    alike, so a replay says the same.
    """

    def __init__(self, *, alpha: float = 0.005, window: int = 40, recent: int = 10, seed: int = 0) -> None:
        if not 1 <= recent <= window - recent:
            raise ValueError(f"recent is {recent}: it must be from 1 to half the window of {window}")
        self._alpha, self._size, self._recent, self._seed = alpha, window, recent, seed
        self._window: deque[float] = deque(maxlen=window)
        self._random = Random(seed)  # noqa: S311  # draws rows to compare, keeps no secret

    def update(self, value: float) -> State:
        self._window.append(value)
        if len(self._window) < self._size:
            return "quiet"
        values = list(self._window)
        older, recent = values[: -self._recent], values[-self._recent :]
        drawn = [older[place] for place in self._random.sample(range(len(older)), self._recent)]
        if ks_p_value(drawn, recent) > self._alpha:
            return "quiet"
        self._window.clear()
        self._window.extend(recent)
        self._random = Random(self._seed)  # noqa: S311
        return "drift" if sum(recent) > sum(drawn) else "improved"


def ks_p_value(one: list[float], other: list[float]) -> float:
    """Exact and two-sided, of two samples of one size: among all orders of both, the share in which the two
    are as far apart at some place (Gnedenko and Korolyuk 1951; reflections of a path of plus and minus ones).
    Ties make it conservative."""
    size = len(one)
    if size != len(other) or not size:
        raise ValueError("this test is for two samples of one size, with something in them")
    apart = max(
        abs(sum(value <= place for value in one) - sum(value <= place for value in other))
        for place in (*one, *other)
    )
    if apart == 0:
        return 1.0
    paths = sum(
        (-1) ** (turn - 1) * comb(2 * size, size - turn * apart) for turn in range(1, size // apart + 1)
    )
    return float(min(1.0, 2 * paths / comb(2 * size, size)))
