"""What is kept with a champion of its own scores, so that nobody computes them again."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlops.core.quality import Spread
from airflow_mlops.core.shift.distribution import Distribution
from airflow_mlops.core.values import TaskKind


@dataclass(frozen=True, slots=True)
class ReferenceScores:
    """The answers to the holdout, which the model was not trained on, and what was true there.

    ``predictions`` are probabilities (two classes), numbers of the most probable class (several), or values.
    ``chances`` is the mean probability of each of several classes.
    """

    task: TaskKind
    predictions: Distribution
    labels: Distribution
    entropy: Spread | None = None
    confidence: Spread | None = None
    chances: tuple[float, ...] = ()
