"""A hyperparameter search as its workers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from airflow_mlops.core.tuning import Budget, Trial, TrialState


class Study(Protocol):
    """One hyperparameter search, shared by workers in many processes. What is told to it survives them."""

    def begin(self, worker: int, first: Sequence[Mapping[str, Any]]) -> None:
        """Ready for a worker, perhaps on a retry. Trials that its earlier try left running are lost, and
        their parameters are next. ``first`` are parameters to begin an empty study with; what lies outside
        the space is left out."""

    def ask(self, worker: int, budget: Budget, now: datetime) -> Trial | None:
        """The next trial, which is the worker's; None where the budget is spent."""

    def report(self, number: int, value: float, now: datetime) -> bool:
        """The metric of the trial's next fold. Whether the trial is not worth another fold."""

    def tell(self, number: int, state: TrialState, reason: str = "") -> Trial:
        """How the trial ended, once: what it was ended with before stays."""

    def trials(self) -> list[Trial]:
        """Every trial that has begun, in order."""

    def importances(self) -> dict[str, float]:
        """How much of the metric's variation each parameter explains, adding up to 1; empty where there are
        too few trials to tell."""

    def remembered(self, name: str, make: Callable[[], str]) -> str:
        """A value that all workers share: the first of them makes it."""
