"""What a gate of the user's own is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.material import Material
from airflow_mlops.core.values import TaskKind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate of your own is shown: the holdout's rows, and what the models answer to them.

    ``rows`` has every column of the holdout, ``features`` and ``label`` are parts of it. ``answers`` are the
    challenger's, in the same order: the probability of 1, one column of probabilities per class, or the
    predicted number. ``champion_answers`` is None where there is no champion to compare with. ``predict``
    asks the challenger for other rows, ``training`` reads the rows that it was trained on. Draw at random by
    ``seed`` alone, and a retry finds the same. A binary answer counts as positive from
    ``decision_threshold`` on.
    """

    model: str
    task: TaskKind
    rows: pd.DataFrame
    features: pd.DataFrame
    label: pd.Series
    answers: Any
    champion_answers: Any
    predict: Callable[[pd.DataFrame], Any]
    training: Callable[[], pd.DataFrame]
    confidence: float
    seed: int
    decision_threshold: float


def evidence(material: Material) -> Evidence:
    """Copies of the frames: a gate may change what it is given without harm to the next one."""
    rows = material.holdout.copy()
    theirs = material.champion_answers
    return Evidence(
        model=material.model_name,
        task=material.task,
        rows=rows,
        features=rows[list(material.columns.features)].copy(),
        label=rows[material.columns.label].copy(),
        answers=material.answers.copy(),
        champion_answers=None if theirs is None else theirs.copy(),
        predict=material.model.predict,
        training=material.training,
        confidence=material.confidence,
        seed=material.seed,
        decision_threshold=material.decision_threshold,
    )
