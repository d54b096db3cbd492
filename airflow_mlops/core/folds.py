"""Folds: how the training part of a snapshot is set apart to train and to judge, said without any rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from airflow_mlops.core.values import Estimate
from airflow_mlops.core.windows import Period, Window

FoldKind = Literal["time", "rolling_origin", "k_fold"]


@dataclass(frozen=True, slots=True)
class Folds:
    """``time`` is one fold, the newest slice. ``length`` and ``gap`` are for the two that go by time: how
    long a slice is, and how long before it rows are left out of training. No group is on both sides.
    """

    kind: FoldKind
    folds: int = 5
    length: Period | None = None
    gap: Period | None = None

    @property
    def count(self) -> int:
        """How many times a model is trained."""
        return 1 if self.kind == "time" else self.folds

    def windows(self, start: datetime, end: datetime) -> list[Window]:
        """The slices of ``length``, oldest first; the last ends at ``end``. Raises ``ValueError`` where they
        leave nothing after ``start`` to train on, and where no length is given."""
        if self.length is None:
            raise ValueError("slices by the number of rows have no windows")
        found: list[Window] = []
        for _ in range(self.count):
            first = self.length.before(found[0].start if found else end)
            if first <= start:
                raise ValueError(
                    f"{self.count} folds of {self.length} leave nothing of {Window(start, end)} to train on"
                )
            found.insert(0, Window(first, found[0].start if found else end))
        return found


@dataclass(frozen=True, slots=True)
class FoldScore:
    """One fold: its metrics with their intervals, or the ``problem`` that kept it from being scored."""

    name: str
    training_rows: int
    test_rows: int
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Every fold, and each metric's mean over them with an interval for the training of another model."""

    kind: FoldKind
    confidence: float
    folds: tuple[FoldScore, ...]
    means: Mapping[str, Estimate]
