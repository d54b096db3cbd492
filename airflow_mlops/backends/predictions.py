"""Predictions of batch models: the Protocol, and what a partition's file is told before its first row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.core.partitions import Partition
from airflow_mlops.core.scored import ScoredPartition
from airflow_mlops.core.values import ModelRef, TaskKind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some rows of a partition as they were read, and their features in the types that the model was trained
    on. Their indexes are equal."""

    rows: pd.DataFrame
    features: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Scorer:
    """A version in memory."""

    ref: ModelRef
    model: LoadedModel


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """One partition to score. ``folder`` is its key in the store, ``key``, ``time`` and ``keep`` are columns
    of the rows that go beside the answers, ``lineage`` are JSON values that are kept with them.
    """

    model: str
    task: TaskKind
    folder: str
    partition: Partition
    key: str
    time: str
    keep: Sequence[str]
    champion: Scorer
    scored_at: datetime
    challenger: Scorer | None = None
    shadow_share: float = 0.0
    log_rows: int = 0
    minimum_rows: int = 0
    lineage: Mapping[str, Any] = field(default_factory=dict)


class Predictions(Protocol):
    """Where partitions' predictions are kept, each whole or not at all."""

    def score(self, job: ScoreJob, pieces: Iterable[Piece]) -> ScoredPartition:
        """Score a partition piece by piece and replace what it held before. Nothing is changed where it
        raises: ``DataRefused`` where there are too few rows, ``ModelRefused`` where the champion cannot
        answer, ``StoreUnavailable`` where another task is writing the partition, and what ``pieces`` raise.
        A challenger that cannot answer is counted, and raises nothing."""

    def kept(self, folder: str) -> ScoredPartition | None:
        """What was last written for a partition; None where nothing was, or not to its end."""
