"""What the gateway saw of a rollout's current stage: counters that stay small however long it lasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_mlops.core.answers import BINARY_TOLERANCE, RELATIVE_TOLERANCE
from airflow_mlops.core.latencies import BUCKETS, EDGES, bucket
from airflow_mlops.core.sequential import quantile_of
from airflow_mlops.core.values import ArmObservation, Observation, RolloutMode, TaskKind

BINS = 20


@dataclass(slots=True)
class Latencies:
    """How long a version's calls took, in the buckets of ``core.latencies``.

    Requests that were predicted together share one call and so one duration, to the last bit; it is counted
    once, since twenty readings of one call are not twenty calls. ``last`` is the call that was counted last.
    """

    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    last: float | None = None

    def __post_init__(self) -> None:
        if len(self.counts) != BUCKETS:
            raise ValueError(f"{len(self.counts)} counts are not those of {BUCKETS} buckets")

    def add(self, seconds: float) -> None:
        if seconds != self.last:
            self.counts[bucket(seconds)] += 1
            self.last = seconds

    def quantile(self, share: float) -> float | None:
        """Seconds that ``share`` of the calls stayed within; None without a call."""
        return quantile_of(self.counts, EDGES, share)


@dataclass(slots=True)
class Arm:
    """One version's share of a stage. ``rows`` counts the rows given to it, those in error too, and ``calls``
    the requests, or parts of one, that they came in."""

    version: str
    task: TaskKind | None = None
    rows: int = 0
    errors: int = 0
    calls: int = 0
    failed_calls: int = 0
    score_sum: float = 0.0
    scored: int = 0
    scores: list[int] = field(default_factory=lambda: [0] * BINS)
    latencies: Latencies = field(default_factory=Latencies)

    def answered(self, scores: Sequence[float], seconds: float | None) -> None:
        """Count one call's predictions: probabilities, values or class numbers. ``seconds`` is None where
        they say nothing about a caller's wait."""
        self.rows += len(scores)
        self.calls += 1
        self.scored += len(scores)
        # Not fsum, which raises where a sum is beyond a float; here it is infinite, and no mean is told.
        self.score_sum += sum(scores)
        if seconds is not None:
            self.latencies.add(seconds)
        if self.task == "binary_classification":
            for score in scores:
                self.scores[min(max(int(score * BINS), 0), BINS - 1)] += 1

    def failed(self, rows: int) -> None:
        """Count one call's rows that the version raised on."""
        self.rows += rows
        self.errors += rows
        self.calls += 1
        self.failed_calls += 1

    def add(self, other: Arm) -> None:
        """Count what another process counted of the same version."""
        self.task = self.task or other.task
        for name in ("rows", "errors", "calls", "failed_calls", "score_sum", "scored"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.scores = [mine + more for mine, more in zip(self.scores, other.scores, strict=True)]
        counts = zip(self.latencies.counts, other.latencies.counts, strict=True)
        self.latencies = Latencies([mine + more for mine, more in counts])

    def seen(self) -> ArmObservation:
        return ArmObservation(
            version=self.version,
            rows=self.rows,
            errors=self.errors,
            latency_p50_seconds=self.latencies.quantile(0.5),
            latency_p99_seconds=self.latencies.quantile(0.99),
            mean_score=self.score_sum / self.scored
            if self.scored and math.isfinite(self.score_sum)
            else None,
            scores=tuple(self.scores) if self.task == "binary_classification" else (),
            calls=self.calls,
            failed_calls=self.failed_calls,
            latencies=tuple(self.latencies.counts),
        )

    def to_json(self) -> dict[str, Any]:
        # JSON has no infinity; a string is what float() reads again.
        return {**asdict(self), "score_sum": str(self.score_sum)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Arm:
        """Raises as ``Stage.from_json`` does."""
        latencies = Latencies(**value["latencies"])
        return cls(**{**value, "latencies": latencies, "score_sum": float(value["score_sum"])})


@dataclass(slots=True)
class Stage:
    """The stretch of a rollout between two traffic changes. Touched only on the event loop.
    ``disagreements`` is None where no process sees the answers of both versions."""

    rollout_id: str
    mode: RolloutMode
    weight: float
    since: datetime
    champion: Arm
    challenger: Arm
    disagreements: int | None = 0

    def compare(self, champion: Sequence[float], challenger: Sequence[float]) -> None:
        """Count the rows on which the two disagree, paired by row."""
        task = self.champion.task
        self.disagreements = (self.disagreements or 0) + sum(
            disagree(left, right, task) for left, right in zip(champion, challenger, strict=True)
        )

    def observation(self) -> Observation:
        return Observation(
            rollout_id=self.rollout_id,
            mode=self.mode,
            weight=self.weight,
            since=self.since,
            champion=self.champion.seen(),
            challenger=self.challenger.seen(),
            disagreements=self.disagreements,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything counted, to be taken up again by ``from_json`` after a restart."""
        arms = {"champion": self.champion.to_json(), "challenger": self.challenger.to_json()}
        return {**asdict(self), **arms, "since": self.since.isoformat()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stage:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything that ``to_json`` did not give."""
        arms = {name: Arm.from_json(value[name]) for name in ("champion", "challenger")}
        return cls(**{**value, **arms, "since": datetime.fromisoformat(value["since"])})


def disagree(champion: float, challenger: float, task: TaskKind | None) -> bool:
    """Whether two answers to one row differ enough to count: probabilities by more than 0.2, classes at
    all, values (also of a task that the model does not name) by more than a tenth of the larger one."""
    if task == "binary_classification":
        return abs(champion - challenger) > BINARY_TOLERANCE
    if task == "multiclass_classification":
        return champion != challenger
    return abs(champion - challenger) > RELATIVE_TOLERANCE * max(abs(champion), abs(challenger))
