"""A year of days for ``policy.py``: rows whose inputs, and whose label's causes, move as a pattern says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np
import pandas as pd

FEATURES = ("f1", "f2", "f3", "f4", "f5", "f6")
DAYS = 365
WARM_UP = 60
"""Days before the year, of the same world: the first champion is trained on the last of them."""
BAD_DAY = 200
CHANGE = 120
_STRENGTH = 2.0


@dataclass(frozen=True, slots=True)
class World:
    """A day of the world: by how many degrees the label's direction has turned, and how far inputs moved."""

    turned: float = 0.0
    moved: float = 0.0
    broken: bool = False


def none(_: int) -> World:
    """Nothing ever changes."""
    return World()


def sudden(day: int) -> World:
    """On one day three inputs jump, and the label depends on others than before."""
    return World(turned=70.0, moved=1.0) if day >= CHANGE else World()


def gradual(day: int) -> World:
    """The same, bit by bit from the second month to the tenth."""
    share = min(max((day - 30) / 270, 0.0), 1.0)
    return World(turned=110.0 * share, moved=1.5 * share)


def seasonal(day: int) -> World:
    """A wave of one year, from where the first champion was trained and back to it."""
    wave = (1 - cos(2 * pi * day / DAYS)) / 2
    return World(turned=80.0 * wave, moved=1.2 * wave)


def bad_day(day: int) -> World:
    """One day comes in broken: an input in another unit, two without values. The labels are right."""
    return World(broken=day == BAD_DAY)


PATTERNS: dict[str, Callable[[int], World]] = {
    "none": none,
    "sudden": sudden,
    "gradual": gradual,
    "seasonal": seasonal,
    "one bad day": bad_day,
}


def rows_of(day: int, state: World, rows: int, random: np.random.Generator) -> pd.DataFrame:
    """Rows of one day with their label (``clicked``), their key and their time."""
    values = random.normal(size=(rows, len(FEATURES)))
    values[:, :3] += state.moved
    angle = radians(state.turned)
    turned = cos(angle) * values[:, 0] + sin(angle) * values[:, 3]
    odds = _STRENGTH * (0.8 * turned + 0.6 * (values[:, 1] - state.moved) - 0.8 * cos(angle) * state.moved)
    label = (random.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype("int64")
    if state.broken:
        values[:, 0] *= 100
        values[:, 1:3] = np.nan
    frame = pd.DataFrame(values, columns=list(FEATURES))
    start = pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(days=day)
    frame["at"] = start + pd.to_timedelta(np.arange(rows) * (86_000 // rows), unit="s")
    frame["id"] = [f"{day}-{number}" for number in range(rows)]
    frame["clicked"] = label
    return frame
