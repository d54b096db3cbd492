"""Runs, models and the registry: the Protocol, and a model in memory and in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlops.core.tuning import Trial
from airflow_mlops.core.values import ModelRef, RunRef, SearchRun, TaskKind

if TYPE_CHECKING:
    import pandas as pd


class LoadedModel(Protocol):
    """A model in memory."""

    def predict(self, features: pd.DataFrame) -> Any:
        """Per row: the probability of the positive class (binary), the class probabilities as an array
        (multiclass), or the value (all other tasks)."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A saved model: what MLflow's ``MLmodel`` says of it, and its skops file. Whoever hands it over has held
    both against the hashes that were recorded when it was logged."""

    description: bytes
    body: bytes


class Tracking(Protocol):
    """Runs, models and the registry. All raise ``BackendUnavailable`` when the server is away."""

    def log_training(
        self,
        *,
        experiment: str,
        run_name: str,
        run_key: str,
        estimator: Any,
        input_example: pd.DataFrame,
        task: TaskKind,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset_uri: str,
        dataset_version: str,
        trusted_types: Sequence[str],
        files: Mapping[str, bytes] = MappingProxyType({}),
        texts: Sequence[str] = (),
    ) -> RunRef:
        """Log a model whole, with ``files`` beside it under their paths; a run that an earlier try with the
        same ``run_key`` left behind is reused as it is when finished and marked killed when not. ``texts``
        are the columns that hold prose: the model's signature tells them from categories."""

    def begin_search(
        self, *, experiment: str, run_name: str, run_key: str, tags: Mapping[str, str]
    ) -> SearchRun:
        """The run of a hyperparameter search; the same run when called again with the same ``run_key``. Not
        for two callers at once."""

    def log_trial(self, search: SearchRun, trial: Trial, *, metric: str) -> None:
        """A finished trial as a run nested in the search's: parameters, the metric of each fold, their mean,
        and its state. Nothing happens if the trial is there already."""

    def end_search(
        self, search: SearchRun, *, params: Mapping[str, Any], metrics: Mapping[str, float], failed: bool
    ) -> None:
        """Close the search's run with what it found."""

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Add metrics to a run."""

    def log_file(self, run_id: str, path: str, body: bytes) -> None:
        """Attach a file to a run under ``path``."""

    def read_file(self, run_id: str, path: str) -> bytes:
        """A file of a run. Raises ``KeyError`` if there is none."""

    def load(self, model_uri: str, *, trusted_types: Sequence[str] = ()) -> LoadedModel:
        """Load ``models:/name/version`` or a run's model. Raises ``ModelRefused`` when it cannot be."""

    def files_of(self, model_uri: str) -> ModelFiles:
        """A model's files as they were logged, for a process that is to load it. Raises ``ModelRefused``
        where they are not there or were changed."""

    def register(self, name: str, run: RunRef, tags: Mapping[str, str]) -> ModelRef:
        """A version for this run; the same version when called again for the same run."""

    def alias(self, name: str, alias: str) -> ModelRef | None:
        """The version an alias points to, or None."""

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version, and read it back."""

    def drop_alias(self, name: str, alias: str) -> None:
        """Remove an alias; nothing happens if there is none."""

    def run_of(self, model: ModelRef) -> RunRef:
        """The training run behind a version."""

    def tags_of(self, run_id: str) -> dict[str, str]:
        """A run's tags."""

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        """Set tags on a version; nothing happens if there is none: a rollout does not fail for a note on a
        version that was deleted."""

    def describe(self, model: ModelRef, text: str) -> None:
        """Write a version's description (Markdown), replacing what was there; too long a one is cut."""
