"""From the losses of batches to what a detector says about a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Literal

from airflow_mlops.core.detectors.base import Detector, State

FEWEST = 7
"""Batches that the level and the spread of the loss are learnt from: with fewer, both are guesses."""
_BAD = 1.0
_SAME = 5
"""Batches by which labels that land later may move an alarm: a rise is seen once as many lie behind it."""
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class Batch:
    """Mean loss of the rows of one stretch of time."""

    start: datetime
    loss: float
    rows: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A detector under its name. One that ``reads`` bits is told of each batch whether it was bad: its loss
    more than one standard deviation above the level. All others read by how many it was above."""

    name: str
    detector: Detector
    reads: Literal["levels", "bits"] = "levels"


@dataclass(frozen=True, slots=True)
class Signal:
    """What a detector says: ``drift`` where it fired in the window that is looked at, at the batch of ``at``,
    and nobody has been told; ``learning`` while there are too few batches to know what is usual. ``earlier``
    counts the alarms that are no news, ``standing`` is the batch of the last one.
    """

    detector: str
    state: State | Literal["learning"]
    batches: int
    at: datetime | None = None
    earlier: int = 0
    standing: datetime | None = None

    @property
    def fired(self) -> bool:
        return self.state == "drift"

    @property
    def reason(self) -> str:
        """In words."""
        match self.state:
            case "learning":
                return f"{self.detector}: {self.batches} batches are too few to know the usual loss"
            case "drift" if self.at is not None:
                return (
                    f"{self.detector}: the loss has risen, by the batch of "
                    f"{_said(self.at)} ({self.batches} batches read)"
                )
            case _:
                last = f"; its last alarm was at {_said(self.standing)}" if self.standing else ""
                return f"{self.detector}: {self.state} after {self.batches} batches{last}"


def watch(
    watched: Watched,
    reference: Sequence[Batch],
    served: Sequence[Batch],
    since: datetime,
    told: datetime | None = None,
) -> Signal:
    """Feed all batches in the order of time, the reference's first, and say what came of those from ``since``
    on.

    The unit is the standard deviation of the reference's batches around their mean, so that one setting fits
    every loss. ``reference`` is what the promise was made on (the champion's holdout); where it has fewer
    than ``FEWEST`` batches, the first ones that were served stand in.

    ``told`` is the batch of the last alarm that somebody has been told of: that one, and all before it, are
    no news, nor are those a few batches later, which are the same rise seen again with more labels.
    """
    known = sorted(reference, key=_start)
    rest = sorted(served, key=_start)
    missing = max(FEWEST - len(known), 0)
    known, rest = [*known, *rest[:missing]], rest[missing:]
    count = len(known) + len(rest)
    if len(known) < FEWEST:
        return Signal(watched.name, "learning", count)
    level = sum(batch.loss for batch in known) / len(known)
    spread = sqrt(sum((batch.loss - level) ** 2 for batch in known) / (len(known) - 1))
    state: State = "quiet"
    earlier, standing, fired, after_told = 0, None, None, 0
    for batch in (*known, *rest):
        above = (batch.loss - level) / max(spread, _LEAST_SPREAD)
        state = watched.detector.update(float(above > _BAD) if watched.reads == "bits" else above)
        after_told += told is not None and batch.start > told
        if state != "drift":
            continue
        if batch.start >= since and (told is None or after_told > _SAME):
            fired = batch.start
        else:
            earlier, standing = earlier + 1, batch.start
    if fired is not None:
        return Signal(watched.name, "drift", count, fired, earlier, standing)
    if rest and rest[-1].start < since:
        state = "quiet"  # said of a batch before the window
    if state == "drift":
        state = "quiet"  # said before
    return Signal(watched.name, state, count, None, earlier, standing)


def _said(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def _start(batch: Batch) -> datetime:
    return batch.start
