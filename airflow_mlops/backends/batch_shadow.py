"""A challenger's answers to a share of a partition's rows: drawn by key, counted, seen by nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends.batch_answers import Answers, Arm, answers, disagreements
from airflow_mlops.backends.predictions import ScoreJob
from airflow_mlops.core.raised import raised
from airflow_mlops.core.scored import ShadowCounts

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = TypeAdapter(ShadowCounts)


@dataclass(frozen=True, slots=True, eq=False)
class Shadowed:
    """Which rows of a piece the challenger was shown, and its number for each of them, NaN where it gave
    none; ``error`` says why it gave none at all."""

    rows: Any
    prediction: Any
    error: str | None = None


class BatchShadow:
    """Shows a challenger its share of each piece. Which rows those are depends on their keys alone: the same
    ones when a partition is scored again, and more of them, never others, when the share grows."""

    def __init__(self, job: ScoreJob) -> None:
        self._job = job
        self._error: str | None = None
        self._disagreements = 0
        self._champion = Arm(job.champion.ref.version, job.task)
        self._challenger = Arm(job.challenger.ref.version if job.challenger else "", job.task)

    def answer(self, features: pd.DataFrame, champion: Answers, drawn: Any) -> Shadowed | None:
        """The challenger's answers to its rows of a piece; ``drawn`` are the hashes of their keys."""
        import numpy as np

        job = self._job
        if job.challenger is None or not job.shadow_share:
            return None
        rows = drawn < np.uint64(min(int(job.shadow_share * 2.0**64), 2**64 - 1))
        if job.shadow_share >= 1:
            rows = np.ones(len(drawn), dtype=bool)
        count = int(rows.sum())
        if not count:
            return None
        theirs = champion.prediction[rows]
        self._champion.answered(theirs)
        try:
            found = answers(job.challenger.model, features[rows], job.task).prediction
        except Exception as error:  # noqa: BLE001 (a challenger may raise anything; the champion's rows stand)
            self._error = self._error or raised(error)
            self._challenger.failed(count)
            return Shadowed(rows, np.full(count, np.nan), self._error)
        self._challenger.answered(found)
        self._disagreements += disagreements(theirs, found, job.task)
        return Shadowed(rows, found)

    def counts(self) -> ShadowCounts | None:
        """What was seen; None where there is no challenger, or it was shown nothing."""
        if not self._champion.rows:
            return None
        return ShadowCounts(
            partition=self._job.partition.name,
            scored_at=self._job.scored_at,
            champion=self._champion.seen(),
            challenger=self._challenger.seen(),
            disagreements=self._disagreements,
            error=self._error,
        )


def shadow_key(model: str, version: str, partition: str = "") -> str:
    """Where the counts of a challenger are kept: one object a partition, in a folder of the version's."""
    folder = f"serving/{model}/shadow/v{version}"
    return f"{folder}/{partition}.json" if partition else folder


def counts_json(counts: ShadowCounts) -> bytes:
    """As they are kept."""
    return _COUNTS.dump_json(counts, indent=2)


def counts_of(kept: bytes) -> ShadowCounts:
    """Raises ``ValueError`` for what ``counts_json`` did not write."""
    return _COUNTS.validate_json(kept)
