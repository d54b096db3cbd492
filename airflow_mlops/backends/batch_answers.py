"""A model's answers to a piece of a partition, and what two versions' answers have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.core.answers import BINARY_TOLERANCE, RELATIVE_TOLERANCE
from airflow_mlops.core.values import ArmObservation, TaskKind
from airflow_mlops.exceptions import ModelRefused

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NO_NUMBER = "the model gave no number"
_BINS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One number a row: a probability, a value, or the number of the most probable class, NaN where the
    model gave none. ``probabilities`` (of several classes) has one column a class."""

    prediction: np.ndarray[Any, Any]
    probabilities: np.ndarray[Any, Any] | None = None

    @property
    def failed(self) -> np.ndarray[Any, Any]:
        """Which rows have no number."""
        import numpy as np

        return np.asarray(np.isnan(self.prediction))


def answers(model: LoadedModel, features: pd.DataFrame, task: TaskKind) -> Answers:
    """Ask a model. Raises ``ModelRefused`` where it cannot answer, or not for each row."""
    import numpy as np

    found = np.asarray(model.predict(features), dtype="float64")
    if len(found) != len(features):
        raise ModelRefused(f"the model gave {len(found)} answers to {len(features)} rows")
    if task != "multiclass_classification":
        return Answers(np.where(np.isfinite(found), found, np.nan))
    whole = np.isfinite(found).all(axis=1)
    best = np.where(whole, np.argmax(np.where(whole[:, None], found, 0.0), axis=1), np.nan)
    return Answers(best, np.where(whole[:, None], found, np.nan))


def errors_of(failed: Any) -> Any:
    """The text of each row: an error where the model gave no number, None elsewhere."""
    import numpy as np

    texts = np.full(len(failed), None, dtype=object)
    texts[failed] = NO_NUMBER
    return texts


def disagreements(champion: Any, challenger: Any, task: TaskKind) -> int:
    """Rows on which two versions differ enough to count, by the rule that the model server counts by."""
    import numpy as np

    apart = np.abs(champion - challenger)
    if task == "binary_classification":
        limit: Any = BINARY_TOLERANCE
    elif task == "multiclass_classification":
        limit = 0.0
    else:
        limit = RELATIVE_TOLERANCE * np.maximum(np.abs(champion), np.abs(challenger))
    return int((apart > limit).sum())  # what is no number is above nothing: it is counted as an error


@dataclass(slots=True)
class Arm:
    """What is counted of one version, in memory that does not grow."""

    version: str
    task: TaskKind
    rows: int = 0
    errors: int = 0
    _sum: float = 0.0
    _scores: list[int] = field(default_factory=lambda: [0] * _BINS)

    def answered(self, found: Any) -> None:
        """Count the answers to some rows; those that are no number are errors."""
        import numpy as np

        good = found[~np.isnan(found)]
        self.rows += len(found)
        self.errors += len(found) - len(good)
        self._sum += float(good.sum())
        if self.task == "binary_classification":
            counts, _ = np.histogram(np.clip(good, 0.0, 1.0), bins=_BINS, range=(0.0, 1.0))
            self._scores = [before + int(more) for before, more in zip(self._scores, counts, strict=True)]

    def failed(self, rows: int) -> None:
        """Count rows that the version raised on."""
        self.rows += rows
        self.errors += rows

    def seen(self) -> ArmObservation:
        """The counts. There is no latency: nobody waits for one row of a partition."""
        import math

        good = self.rows - self.errors
        return ArmObservation(
            version=self.version,
            rows=self.rows,
            errors=self.errors,
            mean_score=self._sum / good if good and math.isfinite(self._sum) else None,
            scores=tuple(self._scores) if self.task == "binary_classification" else (),
        )
