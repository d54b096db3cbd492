"""How long labels take: from what has landed so far to what is expected to have landed at a given age.

The lags of the labels that are there are short for a plain reason: the long ones have not landed yet (they
are truncated on the right). The inference log knows every answer that still waits, and for how long, so the
waiting ones are counted as what they are: not landed within their age. The estimate is the actuarial life
table (Cutler and Ederer 1958, "Maximum utilization of the life table method", Journal of Chronic Diseases
8:699), which is the one of Kaplan and Meier (1958, JASA 53:457) for lags that are counted in classes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_mlops.core.windows import Window

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
EDGES: tuple[int, ...] = (
    *(minutes * _MINUTE for minutes in (1, 5, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 16, 20)),
    *(days * _DAY for days in (1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 28, 35, 45, 60, 75, 90, 120, 180, 270)),
    *(years * 365 * _DAY for years in (1, 2, 5, 100)),
)
"""Upper ends of the classes, in seconds, the end included. Few enough for a ledger entry."""
_PLACES = 12

Lags = Mapping[int, int]
"""Upper end of a class to how many are in it."""


@dataclass(frozen=True, slots=True)
class LagModel:
    """The share of answers whose label has landed by an age: ``shares[i]`` by ``ages[i]`` seconds. Beyond the
    last age nothing is known, and its share is kept: answers that never get a label are why it may stay
    below 1. ``answers`` is how many stand behind it."""

    ages: tuple[int, ...]
    shares: tuple[float, ...]
    answers: int

    def landed_by(self, age: timedelta) -> float:
        """The share that is expected to have landed at an age; straight lines between the known ages."""
        seconds = age.total_seconds()
        if seconds <= 0 or not self.ages:
            return 0.0
        place = bisect_left(self.ages, seconds)
        if place == len(self.ages):
            return self.shares[-1]
        before, share = (0, 0.0) if place == 0 else (self.ages[place - 1], self.shares[place - 1])
        part = (seconds - before) / (self.ages[place] - before)
        return share + part * (self.shares[place] - share)

    def expected(self, window: Window, now: datetime) -> float:
        """The share of a window's answers whose label is expected to be there now, if they came evenly."""
        length = window.end - window.start
        moments = (window.start + length * ((place + 0.5) / _PLACES) for place in range(_PLACES))
        return sum(self.landed_by(now - moment) for moment in moments) / _PLACES

    def age_of(self, share: float) -> timedelta | None:
        """The age by which a share has landed; None where it never has."""
        for age, landed in zip(self.ages, self.shares, strict=True):
            if landed >= share:
                return timedelta(seconds=age)
        return None


def lag_model(landed: Lags, waiting: Lags) -> LagModel:
    """From the lags of landed labels and the ages of the answers that wait, both counted in classes. In its
    class, a waiting answer counts as half an answer that could have landed."""
    total = at_risk = sum(landed.values()) + sum(waiting.values())
    ages, shares, left = [], [], 1.0
    for edge in EDGES:
        if not at_risk:
            break
        exposed = at_risk - waiting.get(edge, 0) / 2
        left *= 1 - min(landed.get(edge, 0) / exposed, 1.0)
        at_risk -= landed.get(edge, 0) + waiting.get(edge, 0)
        ages.append(edge)
        shares.append(1 - left)
    return LagModel(tuple(ages), tuple(shares), total)


def counted(seconds: Iterable[float]) -> dict[int, int]:
    """Lags (or ages) in seconds, in classes; one below 0 is a clock that goes before, and counts as none."""
    count = Counter(EDGES[min(bisect_left(EDGES, value), len(EDGES) - 1)] for value in seconds)
    return {edge: count[edge] for edge in sorted(count)}


def next_class(edge: int) -> int:
    """The class after the one that ends at ``edge``."""
    return EDGES[min(bisect_left(EDGES, edge) + 1, len(EDGES) - 1)]


def merged(many: Iterable[Lags]) -> dict[int, int]:
    """All counts in one. A class that this release does not have goes to the next longer one."""
    whole: Counter[int] = Counter()
    for lags in many:
        for edge, number in lags.items():
            whole[EDGES[min(bisect_left(EDGES, edge), len(EDGES) - 1)]] += number
    return dict(whole)
