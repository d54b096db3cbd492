"""Whether to go on waiting for the labels of a window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from airflow_mlops.core.windows import Period, Window


@dataclass(frozen=True, slots=True)
class Arrived:
    """The answers of a window, and how many of them have a label."""

    window: Window
    answers: int
    labels: int

    @property
    def coverage(self) -> float:
        """The share of answers that have one; of no answers, nothing is missing."""
        return self.labels / self.answers if self.answers else 1.0


def end_of_wait(
    arrived: Arrived, now: datetime, *, coverage: float, deadline: Period
) -> Literal["reached", "deadline"] | None:
    """Why the wait is over; None while it is not. A window that is not over yet may still get answers."""
    if now < arrived.window.end:
        return None
    if arrived.coverage >= coverage:
        return "reached"
    return "deadline" if now >= deadline.after(arrived.window.end) else None
