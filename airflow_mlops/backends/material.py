"""What gates measure and explainers explain: the rows, answers and models of one evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.backends.scoring import Metrics
from airflow_mlops.backends.tracking import LoadedModel, Tracking
from airflow_mlops.core.folds import CrossValidation
from airflow_mlops.core.values import ColumnKind, Finding, Importance, TaskKind

if TYPE_CHECKING:
    import pandas as pd


ANSWERS_FILE = "training_answers.json"
"""Of a training run: ``rows`` and the ``answers`` to them, before the model was saved."""
WARNINGS_FILE = "training_warnings.json"
"""Of a training run: what it warned of not having converged, a list of texts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What a model's columns are called. ``features`` says of each whether it is numeric or categorical,
    ``group`` names what rows belong together by, if anything."""

    features: Mapping[str, ColumnKind]
    label: str
    key: str
    time: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What the measurement of a gate may look at: the evaluation's rows, answers and models.

    ``run_id`` is the training run. ``holdout`` has every column of the snapshot, ``answers`` are the
    challenger's on it, as ``predict`` gives them, in the same order; ``champion`` and ``champion_answers``
    are None where there is nobody to compare with. ``training`` reads the rows that the challenger was
    trained on. ``former`` loads the version that was champion at a moment, None if there was none. ``seed``
    makes what is drawn at random the same on a retry. A binary answer counts as positive from
    ``decision_threshold`` on.
    """

    model_name: str
    task: TaskKind
    columns: Columns
    confidence: float
    seed: int
    holdout: pd.DataFrame
    answers: Any
    model: LoadedModel
    model_uri: str
    trusted_types: Sequence[str]
    metrics: Metrics
    tracking: Tracking
    training: Callable[[], pd.DataFrame]
    former: Callable[[datetime], LoadedModel | None]
    champion: LoadedModel | None = None
    champion_answers: Any = None
    decision_threshold: float = 0.5
    run_id: str = ""
    cross_validation: CrossValidation | None = None

    @property
    def features(self) -> pd.DataFrame:
        """The holdout's features alone."""
        return self.holdout[list(self.columns.features)]

    @property
    def label(self) -> pd.Series:
        """The holdout's labels."""
        return self.holdout[self.columns.label]


class GateMeasure(Protocol):
    """Measures what one type of gate judges; a plain function is one."""

    def __call__(self, settings: Mapping[str, Any], material: Material) -> Finding:
        """``settings`` is the rule as the YAML has it, all defaults filled in; the caller fills in the
        finding's ``rule``. Raises ``DataRefused``, ``ModelRefused`` or ``TrainingFailed`` where it cannot be
        measured, which is inconclusive."""


class Explainer(Protocol):
    """Says how much a model leans on each feature; a plain function is one."""

    def __call__(self, settings: Mapping[str, Any], material: Material) -> tuple[Importance, ...]:
        """For all rows and for each slice that ``settings`` names, most important first."""
