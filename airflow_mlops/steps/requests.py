"""What each step is handed and what it gives back: frozen, and JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.causes import FoundCause
from airflow_mlops.core.retraining import Cause, CauseCheck, Decision
from airflow_mlops.core.scored import ChosenPartition, ScoredPartition
from airflow_mlops.core.values import (
    DatasetRef,
    Evaluation,
    ModelRef,
    Outcome,
    Report,
    Rollout,
    RunInfo,
    RunRef,
    SearchRun,
    Traffic,
    Verdict,
)
from airflow_mlops.core.windows import Window


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    config: ModelConfig
    run: RunInfo


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``causes`` says why this run trains, ``kinds`` in the policy's words; ``requests`` are the ledger's
    requests that it works off; ``lengthened`` says what became of the wish of an earlier run for more holdout
    rows, ``fell_back`` why these are not the run's own rows."""

    dataset: DatasetRef
    causes: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    lengthened: str | None = None
    kinds: tuple[Cause, ...] = ()
    fell_back: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """For ``validate``, the steps of the preflight and ``tune_choose``."""

    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """For one worker of ``tune_search``; they are numbered from 0."""

    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    worker: int


@dataclass(frozen=True, slots=True)
class Searched:
    """What one worker did: how many trials it ended, and why it stopped."""

    worker: int
    trials: int
    stopped: str
    search: SearchRun | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """The parameters that a search chose. ``value`` is the mean of ``metric`` over the best trial's folds,
    ``trials`` counts all by their state; ``searched_by`` is the run that searched, this one or an earlier."""

    params: Mapping[str, Any]
    metric: str
    value: float
    searched_by: str
    trials: Mapping[str, int] = field(default_factory=dict)
    search: SearchRun | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """``tuned`` is there where the model's YAML asks for a search."""

    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    tuned: Tuned | None = None


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    training: RunRef


@dataclass(frozen=True, slots=True)
class GateRequest:
    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    training: RunRef
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What a person decided about a challenger that its gates held, with the fields of an approval."""

    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    training: RunRef
    verdict: Verdict
    overridden: bool
    person: str
    reason: str
    person_id: str | None = None
    objection: str | None = None
    answered_at: str = ""
    question: int = 1


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """``verdict`` must have passed, or a person's ``review`` of it; anything else is refused."""

    config: ModelConfig
    run: RunInfo
    snapshot: Snapshot
    training: RunRef
    evaluation: Evaluation
    verdict: Verdict
    review: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A version (as ``ModelRef``) and its model card."""

    name: str
    version: str
    url: str | None
    card: Report


@dataclass(frozen=True, slots=True)
class TakeChallengerRequest:
    """Which stages the rollout must pass is the YAML's affair, but for those that are said here."""

    config: ModelConfig
    run: RunInfo
    shadow: bool | None = None
    weights: tuple[float, ...] | None = None
    approval: bool | None = None


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """For ``smoke_serve`` and ``promote``."""

    config: ModelConfig
    run: RunInfo
    rollout: Rollout


@dataclass(frozen=True, slots=True)
class BringUpRequest:
    """A version that the serving target is to start; ``rollout_id`` is what it knows it by."""

    config: ModelConfig
    run: RunInfo
    rollout_id: str
    candidate: ModelRef


@dataclass(frozen=True, slots=True)
class RolledOut:
    """A rollout and its verdict: it may be handed on as the one and as the other."""

    id: str
    candidate: ModelRef
    champion: ModelRef | None
    training: RunRef
    outcome: Outcome
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageRequest:
    """One stage of a rollout: shadow (weight 0) or one canary weight."""

    config: ModelConfig
    run: RunInfo
    rollout: Rollout
    mode: Literal["shadow", "canary"]
    weight: float


@dataclass(frozen=True, slots=True)
class StageOpened:
    """The stage as the serving target reads it back; ``verdict`` where an earlier try has ended it."""

    rollout: Rollout
    traffic: Traffic
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class AbReportRequest:
    """``verdict`` is that of the stage in which the challenger had ``weight`` of the rows."""

    config: ModelConfig
    run: RunInfo
    rollout: Rollout
    weight: float
    verdict: Verdict

    @property
    def stage(self) -> StageRequest:
        """The stage that is reported on."""
        return StageRequest(self.config, self.run, self.rollout, "canary", self.weight)


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What a person decided about a rollout. ``objection`` says why the answer of ``answered_at`` does not
    count; ``question`` numbers the questions of a run, which asks anew when it is cleared."""

    config: ModelConfig
    run: RunInfo
    rollout: Rollout
    approved: bool
    person: str
    reason: str
    person_id: str | None = None
    objection: str | None = None
    answered_at: str = ""
    question: int = 1


@dataclass(frozen=True, slots=True)
class RollBackRequest:
    config: ModelConfig
    run: RunInfo
    rollout: Rollout
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReverseRequest:
    """Put ``version`` back as champion, or the one before the present champion."""

    config: ModelConfig
    run: RunInfo
    reason: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """The version that is put back (as ``ModelRef``), and the one that it came in for. While the target
    brings it up it is not ``done``, and the same request goes on; ``said`` is what it waits for."""

    name: str
    version: str
    url: str | None
    previous: str | None = None
    done: bool = True
    said: str = ""


@dataclass(frozen=True, slots=True)
class ChooseRequest:
    """For ``choose_partitions``."""

    config: ModelConfig
    run: RunInfo


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a run is to score, and by whom; the same for all its tasks and retries. ``left_out`` names the
    partitions that no champion was in force for, ``at`` is when this was chosen."""

    partitions: tuple[ChosenPartition, ...]
    at: datetime
    challenger: ModelRef | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    config: ModelConfig
    run: RunInfo
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Scored:
    """The partitions that were written; their lineage lies beside them. ``rows`` counts those of all."""

    partitions: tuple[ScoredPartition, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class CollectRequest:
    config: ModelConfig
    run: RunInfo


@dataclass(frozen=True, slots=True)
class Judged:
    """What quality and drift read of a window: rows of versions that take all of ``features``, those of the
    YAML's that the champion takes. ``said`` tells what was left out, and why."""

    uri: str
    rows: int
    features: tuple[str, ...]
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """The inference log of a window, kept as one Parquet object. ``judged`` may be of fewer rows."""

    window: Window
    uri: str
    rows: int
    champion: ModelRef
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class CollectedRequest:
    """For ``data_quality``, ``drift`` and ``performance``."""

    config: ModelConfig
    run: RunInfo
    collected: Collected


@dataclass(frozen=True, slots=True)
class CauseRequest:
    """For ``find_cause``: ``report`` is that of drift or performance, whichever ``cause`` is looked for."""

    config: ModelConfig
    run: RunInfo
    collected: Collected
    quality: Report | None
    report: Report
    cause: FoundCause


@dataclass(frozen=True, slots=True)
class DecideRequest:
    config: ModelConfig
    run: RunInfo
    collected: Collected
    quality: Report
    drift: Report
    performance: Report | None


@dataclass(frozen=True, slots=True)
class HealRequest:
    """For ``plan_healing``: what monitoring found of the champion."""

    config: ModelConfig
    run: RunInfo
    collected: Collected
    quality: Report
    performance: Report | None


@dataclass(frozen=True, slots=True)
class Decided:
    """``request_id`` names the ledger's request, where there is one; ``checks`` are the answers to earlier
    ones: is the cause gone? ``evidence`` has the reports of the checks that this rests on, by their kind.
    ``waiting`` is an earlier request that no run has taken, where this is no new one."""

    decision: Decision
    window: Window
    request_id: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[CauseCheck, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    report: Report | None = None
    waiting: Decided | None = None
