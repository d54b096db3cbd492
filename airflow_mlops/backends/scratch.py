"""Backends for a trial run: everything that its steps keep lands in a folder that is thrown away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import ConnectedBackends
from airflow_mlops.backends.model_skops import DESCRIPTION_FILE, MODEL_FILE, SkopsModel
from airflow_mlops.backends.tracking import ModelFiles, Tracking
from airflow_mlops.core.tuning import Trial
from airflow_mlops.core.values import ModelRef, RunRef, SearchRun, TaskKind
from airflow_mlops.exceptions import ModelRefused

if TYPE_CHECKING:
    import pandas as pd


def scratch_backends(folder: Path) -> ScratchBackends:
    """The same libraries as a real run's, with store, ledger and tracking in a folder."""
    return ScratchBackends(Endpoints(store=str(folder)))


@dataclass(frozen=True)
class ScratchBackends(ConnectedBackends):
    """Knows no server: what a step keeps of models and runs is gone with the folder."""

    @cached_property
    def tracking(self) -> ScratchTracking:
        return ScratchTracking(Path(self.endpoints.store, "models"))


@dataclass(frozen=True, slots=True)
class _Run:
    estimator: Any
    task: TaskKind
    folder: Path
    tags: dict[str, str]
    files: dict[str, bytes] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScratchTracking(Tracking):
    """Models as the real tracking saves and loads them, in a folder; runs, versions and aliases in memory.

    ``estimator`` gives back what was logged, as it was before it was saved.
    """

    folder: Path
    runs: dict[str, _Run] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)

    def log_training(
        self,
        *,
        experiment: str,  # noqa: ARG002 (there is one)
        run_name: str,  # noqa: ARG002 (nobody reads it)
        run_key: str,  # noqa: ARG002 (nobody tries twice)
        estimator: Any,
        input_example: pd.DataFrame,
        task: TaskKind,
        params: Mapping[str, Any],  # noqa: ARG002 (nobody reads them)
        tags: Mapping[str, str],
        dataset_uri: str,
        dataset_version: str,
        trusted_types: Sequence[str],
        files: Mapping[str, bytes] = MappingProxyType({}),
        texts: Sequence[str] = (),
    ) -> RunRef:
        run_id = f"trial-{len(self.runs) + 1}"
        folder = self.folder / run_id
        self.folder.mkdir(parents=True, exist_ok=True)
        model_skops.save(
            folder,
            estimator,
            example=input_example.head(5),
            task=task,
            trusted_types=trusted_types,
            texts=texts,
            run_id=run_id,
            model_id=run_id,
        )
        tags = {**tags, "mlops.dataset_uri": dataset_uri, "mlops.dataset_version": dataset_version}
        self.runs[run_id] = _Run(estimator, task, folder, tags, dict(files))
        return RunRef(run_id=run_id, model_uri=f"runs:/{run_id}/model")

    def estimator(self, run: RunRef) -> Any:
        """What a run logged, as it was handed over."""
        return self._run(run.run_id).estimator

    def begin_search(self, *, experiment: str, run_name: str, run_key: str, tags: Any) -> SearchRun:  # noqa: ARG002
        return SearchRun("search", experiment)

    def log_trial(self, search: SearchRun, trial: Trial, *, metric: str) -> None:
        """Nobody reads it."""

    def end_search(self, search: SearchRun, *, params: Any, metrics: Any, failed: bool) -> None:
        """Nobody reads it."""

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        self._run(run_id).metrics.update(metrics)

    def log_file(self, run_id: str, path: str, body: bytes) -> None:
        self._run(run_id).files[path] = body

    def read_file(self, run_id: str, path: str) -> bytes:
        return self._run(run_id).files[path]

    def load(self, model_uri: str, *, trusted_types: Sequence[str] = ()) -> SkopsModel:
        run, files = self._behind(model_uri), self.files_of(model_uri)
        return model_skops.load(
            files.description, files.body, task=run.task, trusted_types=trusted_types, unchanged=True
        )

    def files_of(self, model_uri: str) -> ModelFiles:
        folder = self._behind(model_uri).folder
        return ModelFiles((folder / DESCRIPTION_FILE).read_bytes(), (folder / MODEL_FILE).read_bytes())

    def _behind(self, model_uri: str) -> _Run:
        kind, _, rest = model_uri.partition(":/")
        parts = rest.strip("/").split("/")
        return self._run(parts[0] if kind == "runs" else self.run_of(ModelRef(parts[0], parts[-1])).run_id)

    def register(self, name: str, run: RunRef, tags: Mapping[str, str]) -> ModelRef:
        if run.run_id not in self.versions:
            self.versions.append(run.run_id)
        model = ModelRef(name, str(self.versions.index(run.run_id) + 1))
        self.set_tags(model, tags)
        return model

    def alias(self, name: str, alias: str) -> ModelRef | None:
        version = self.aliases.get(alias)
        return None if version is None else ModelRef(name, version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.run_of(ModelRef(name, version))
        self.aliases[alias] = version

    def drop_alias(self, name: str, alias: str) -> None:  # noqa: ARG002 (there is one model)
        self.aliases.pop(alias, None)

    def run_of(self, model: ModelRef) -> RunRef:
        numbers = [str(number) for number in range(1, len(self.versions) + 1)]
        if model.version not in numbers:
            raise ModelRefused(f"a trial run has no {model}: it looks at nothing but its own model")
        run_id = self.versions[int(model.version) - 1]
        return RunRef(run_id=run_id, model_uri=f"runs:/{run_id}/model")

    def tags_of(self, run_id: str) -> dict[str, str]:
        return dict(self._run(run_id).tags)

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        self._run(self.run_of(model).run_id).tags.update(tags)

    def describe(self, model: ModelRef, text: str) -> None:  # noqa: ARG002 (nobody reads it)
        self.run_of(model)

    def _run(self, run_id: str) -> _Run:
        if run_id not in self.runs:
            raise ModelRefused(f"a trial run has no run {run_id}: it looks at nothing but its own model")
        return self.runs[run_id]
