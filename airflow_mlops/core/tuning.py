"""A hyperparameter search: what a trial is, when the budget is spent, and when an earlier answer will do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airflow_mlops.core.ledger import Entry, in_order
from airflow_mlops.core.windows import Period, Window

Sampler = Literal["tpe", "random"]
Pruner = Literal["median", "hyperband", "none"]
TrialState = Literal["running", "complete", "pruned", "failed", "lost"]

# A worker that sees nothing but failures has a mistake before it, not bad luck.
FAILURES_TO_GIVE_UP = 5
# Parameters that end their worker twice (out of memory, a crash in C code) would end every other one too.
MOST_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Real numbers from ``low`` to ``high``, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __contains__(self, value: object) -> bool:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) < 1e-8


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            return False
        return (value - self.low) % self.step == 0


@dataclass(frozen=True, slots=True)
class Choices:
    """One of several JSON values."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        # True == 1 == 1.0, and a list is no hash key: they differ as JSON.
        return json.dumps(value, sort_keys=True, default=str) in {
            json.dumps(each, sort_keys=True) for each in self.values
        }


Range = FloatRange | IntRange | Choices


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How a search goes about it; a trial has ``folds`` steps at which it may be pruned."""

    space: Mapping[str, Range]
    maximize: bool
    folds: int
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters and what became of it.

    ``folds`` holds the metric on each fold that was run. A trial is ``lost`` where its worker died in it:
    its parameters are tried again by another trial, and it counts for nothing. ``ended`` of a lost one is
    when it was last seen at work.
    """

    number: int
    state: TrialState
    params: Mapping[str, Any]
    folds: tuple[float, ...] = ()
    reason: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    worker: int | None = None
    attempt: int = 1

    @property
    def value(self) -> float:
        """The mean over the folds so far; not a number where there is none."""
        return sum(self.folds) / len(self.folds) if self.folds else math.nan

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True)
class Budget:
    """What all workers and retries of a search may spend together; None is no limit of time."""

    trials: int
    seconds: float | None = None

    def spent(self, trials: Sequence[Trial], now: datetime) -> str | None:
        """Why no further trial may begin, or None."""
        begun = sum(trial.state != "lost" for trial in trials)
        if begun >= self.trials:
            return f"all {self.trials} trials have begun"
        return "its time is over" if self.out_of_time(trials, now) else None

    def out_of_time(self, trials: Sequence[Trial], now: datetime) -> bool:
        """Whether the minutes are over."""
        return self.seconds is not None and busy_seconds(trials, now) >= self.seconds


def busy_seconds(trials: Iterable[Trial], now: datetime) -> float:
    """How long at least one trial was at work: the length of the union of their spans. The hours in which a
    crashed search waited for its retry are not spent."""
    spans = sorted((trial.started, trial.ended or now) for trial in trials if trial.started is not None)
    total, reached = 0.0, None
    for start, end in spans:
        if reached is None or start > reached:
            total, reached = total + max((end - start).total_seconds(), 0.0), end
        elif end > reached:
            total, reached = total + (end - reached).total_seconds(), end
    return total


def best(trials: Iterable[Trial], *, maximize: bool) -> Trial | None:
    """The complete trial with the best mean; of equals the earliest, so that a rerun gives the same."""
    complete = [trial for trial in trials if trial.state == "complete" and math.isfinite(trial.value)]
    sign = -1 if maximize else 1
    return min(complete, key=lambda trial: (sign * trial.value, trial.number), default=None)


def first_reasons(trials: Iterable[Trial], limit: int = 3) -> list[str]:
    """Different reasons of failed trials, the earliest first, each with its trial."""
    found: dict[str, int] = {}
    for trial in trials:
        if trial.state == "failed":
            found.setdefault(trial.reason, trial.number)
    return [f"trial {number}: {reason}" for reason, number in list(found.items())[:limit]]


@dataclass(frozen=True, slots=True)
class EarlierSearch:
    """What an earlier run found; ``window`` is that run's, ``age_days`` counts from its end to this one's."""

    entry: Entry
    params: Mapping[str, Any] = field(default_factory=dict)
    window: Window | None = None
    age_days: float = 0.0


def earlier_search(
    entries: Iterable[Entry], *, question: str, every: str | None, window: Window, holdout_start: datetime
) -> EarlierSearch | None:
    """The newest earlier search whose answer may be used again, or None; of any age without ``every``.

    It must have asked the same ``question`` (space, metric, estimator, columns). Its age is counted from the
    end of its window to the end of this one, so a backfill of a year searches as often as the year would
    have.
    Its training rows must end no later than this run's: parameters that were chosen on rows of this holdout
    would make the evaluation flatter them.
    """
    oldest = None if every is None else Period.parse(every).before(window.end)
    for entry in reversed(in_order(entries)):
        if entry.kind != "tuned" or entry.window is None or entry.data.get("question") != question:
            continue
        until = datetime.fromisoformat(str(entry.data["holdout_start"]))
        is_young = oldest is None or oldest < entry.window.end
        if is_young and entry.window.end <= window.end and until <= holdout_start:
            age = (window.end - entry.window.end).total_seconds() / 86_400
            return EarlierSearch(entry, dict(entry.data["params"]), entry.window, age)
    return None
