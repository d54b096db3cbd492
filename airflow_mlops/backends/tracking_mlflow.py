"""Training runs and models in MLflow. Only logging a model imports mlflow; the rest is REST.

A run is FINISHED only when its model is whole, and a version is made only of a finished run, so a crash
leaves at most a run that never finished.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.artifacts_mlflow import ArtifactFolder
from airflow_mlops.backends.mlflow_rest import MlflowAnswer
from airflow_mlops.backends.model_skops import DESCRIPTION_FILE, MODEL_FILE, SkopsModel
from airflow_mlops.backends.registry_mlflow import MlflowRegistry, made_models, pairs, quoted, run_tags
from airflow_mlops.backends.searches_mlflow import MlflowSearches
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.core.tuning import Trial
from airflow_mlops.core.values import RunRef, SearchRun, TaskKind
from airflow_mlops.exceptions import MlopsError, ModelRefused, TrackingRefused

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLE_ROWS = 5
_MOST_PARAMS = 100
_MOST_METRICS = 1000
# A run is found again by its key, and used again only if these say that it is the same training: a task
# that is cleared after its code or YAML was changed has the key of the earlier run.
_TASKS: tuple[TaskKind, ...] = get_args(TaskKind)
_SAME_TRAINING = (
    "mlops.dataset_version",
    "mlops.config_digest",
    "mlops.code_version",
    "mlops.params_sha256",
    "mlops.task",
)
# The names MLflow's own dataset sources go by; a URI of any other scheme is kept all the same.
_SOURCE_TYPES = {"": "local", "file": "local", "s3": "s3", "gs": "gs", "http": "http", "https": "http"}


class MlflowTracking(MlflowRegistry):
    """Runs, models and the registry of one MLflow server. Does nothing until the first call."""

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
        """Log a model whole. A finished run of an earlier try with the same ``run_key``, data, config and
        code is returned as it is; an unfinished one is marked killed.

        Only the first five rows of ``input_example`` are kept, beside the model. ``files`` are there before
        the run is finished, so they are of the fit that was saved, and never of a later try's.
        """
        tags = {
            **tags,
            "mlops.run_key": run_key,
            "mlops.task": task,
            "mlops.dataset_uri": dataset_uri,
            "mlops.dataset_version": dataset_version,
            # A search that is run again may give other params to the same run of the same YAML.
            "mlops.params_sha256": _sha256(_json(params).encode()),
            "mlops.python": platform.python_version(),
            "mlflow.source.type": "JOB",
            "mlflow.source.name": run_key,
        }
        experiment_id = self._experiment(experiment)
        if (earlier := self._earlier(experiment_id, tags)) is not None:
            return earlier
        with self._new_run(experiment_id, run_name, tags) as run:
            run_id = run["info"]["run_id"]
            self._log_params(run_id, params)
            self._log_dataset(run_id, experiment, dataset_uri, dataset_version)
            for path, body in files.items():
                self._files(run).write(path, body)
            model_id = self._log_model(
                run,
                estimator,
                example=input_example.head(_EXAMPLE_ROWS),
                task=task,
                trusted_types=trusted_types,
                texts=texts,
            )
        return self.run_ref(self.run(run_id), f"models:/{model_id}")

    def begin_search(
        self, *, experiment: str, run_name: str, run_key: str, tags: Mapping[str, str]
    ) -> SearchRun:
        """The run of a hyperparameter search; the same one for the same ``run_key``."""
        return self._searches.begin(self._experiment(experiment), run_name, run_key, tags)

    def log_trial(self, search: SearchRun, trial: Trial, *, metric: str) -> None:
        """A finished trial as a run nested in the search's, once."""
        self._searches.log_trial(search, trial, metric)

    def end_search(
        self, search: SearchRun, *, params: Mapping[str, Any], metrics: Mapping[str, float], failed: bool
    ) -> None:
        """Close the search's run with what it found."""
        self._searches.end(search, params, metrics, failed=failed)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Add metrics to a run; not-a-number and infinity are kept as such."""
        now = int(time.time() * 1000)
        entries = [
            {"key": key, "value": _number(value), "timestamp": now, "step": 0}
            for key, value in metrics.items()
        ]
        for start in range(0, len(entries), _MOST_METRICS):
            batch = entries[start : start + _MOST_METRICS]
            self._rest.send("POST", "runs/log-batch", {"run_id": run_id, "metrics": batch})

    def log_file(self, run_id: str, path: str, body: bytes) -> None:
        """Attach a file to a run under ``path``, replacing what was there."""
        self._files(self.run(run_id)).write(path, body)

    def read_file(self, run_id: str, path: str) -> bytes:
        """A file of a run. Raises ``KeyError`` if there is none."""
        return self._files(self.run(run_id)).read(path)

    def tags_of(self, run_id: str) -> dict[str, str]:
        """A run's tags."""
        return run_tags(self.run(run_id))

    def load(self, model_uri: str, *, trusted_types: Sequence[str] = ()) -> SkopsModel:
        """Load ``models:/name/version``, ``models:/name@alias``, ``models:/m-<id>`` or ``runs:/<id>/model``.

        Raises ``ModelRefused`` for a model that is not there, whose files are not those that were logged,
        that holds untrusted types, or that was not logged by ``log_training``.
        """
        folder, run_id = self.model_files(model_uri)
        tags = self.tags_of(run_id)
        task = next((task for task in _TASKS if task == tags.get("mlops.task")), None)
        if task is None:
            raise ModelRefused(
                f"{model_uri} comes from run {run_id}, whose tag mlops.task is {tags.get('mlops.task')!r}: "
                f"it does not say what the model predicts. Set the tag to one of {', '.join(_TASKS)}."
            )
        files, unchanged = self._checked_files(model_uri, folder, tags)
        return model_skops.load(
            files.description, files.body, task=task, trusted_types=trusted_types, unchanged=unchanged
        )

    def files_of(self, model_uri: str) -> ModelFiles:
        """A model's files, for a process that is to load it. Raises ``ModelRefused`` where they are not those
        that were logged, or where nobody recorded what was."""
        folder, run_id = self.model_files(model_uri)
        files, unchanged = self._checked_files(model_uri, folder, self.tags_of(run_id))
        if not unchanged:
            raise ModelRefused(
                f"{model_uri} was logged without the hash of its file (tag mlops.model_sha256 of run "
                f"{run_id}), so that nobody can tell whether it is still the same; train the model anew"
            )
        return files

    def _checked_files(
        self, model_uri: str, folder: ArtifactFolder, tags: Mapping[str, str]
    ) -> tuple[ModelFiles, bool]:
        """The files, and whether the model's own is known to be the one that was logged."""
        try:
            description, body = folder.read(DESCRIPTION_FILE), folder.read(MODEL_FILE)
        except KeyError as error:
            raise ModelRefused(
                f"{model_uri} has no file {error.args[0]}: it is not a scikit-learn model in skops format. "
                'Log it with mlflow.sklearn.log_model(..., serialization_format="skops").'
            ) from error
        recorded = (tags.get("mlops.mlmodel_sha256"), tags.get("mlops.model_sha256"))
        _check_unchanged(model_uri, DESCRIPTION_FILE, description, recorded[0])
        _check_unchanged(model_uri, MODEL_FILE, body, recorded[1])
        return ModelFiles(description, body), recorded[1] is not None

    @cached_property
    def _searches(self) -> MlflowSearches:
        return MlflowSearches(self._rest)

    def _experiment(self, name: str) -> str:
        try:
            found = self._rest.get("experiments/get-by-name", experiment_name=name)["experiment"]
        except MlflowAnswer as error:
            if not error.is_missing:
                raise
            return self._new_experiment(name)
        if found.get("lifecycle_stage") == "deleted":
            raise TrackingRefused(
                f"experiment {name!r} is deleted in MLflow at {self._rest.shown_uri}. Bring it back with "
                f"`mlflow experiments restore --experiment-id {found['experiment_id']}`."
            )
        return str(found["experiment_id"])

    def _new_experiment(self, name: str) -> str:
        try:
            return str(self._rest.send("POST", "experiments/create", {"name": name})["experiment_id"])
        except MlflowAnswer as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        return str(
            self._rest.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"]
        )

    def _earlier(self, experiment_id: str, tags: Mapping[str, str]) -> RunRef | None:
        """What an earlier try left behind: a whole run of the same training, or None; others are killed."""
        found = self._rest.search(
            "runs/search",
            {
                "experiment_ids": [experiment_id],
                "filter": f"tags.`mlops.run_key` = {quoted(tags['mlops.run_key'])}",
                "order_by": ["attributes.start_time DESC"],
            },
        )
        whole = None
        for run in found.get("runs", ()):
            its_tags = run_tags(run)
            if run["info"]["status"] in {"RUNNING", "SCHEDULED"}:
                self._end_run(run["info"]["run_id"], "KILLED")
            elif (
                whole is None
                and run["info"]["status"] == "FINISHED"
                and made_models(run)
                and all(its_tags.get(tag) == tags.get(tag) for tag in _SAME_TRAINING)
            ):
                whole = self.run_ref(run, f"models:/{made_models(run)[-1]}")
        return whole

    @contextmanager
    def _new_run(self, experiment_id: str, name: str, tags: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        body = {
            "experiment_id": experiment_id,
            "run_name": name,
            "start_time": int(time.time() * 1000),
            "tags": pairs(tags),
        }
        run: dict[str, Any] = self._rest.send("POST", "runs/create", body)["run"]
        try:
            yield run
        except BaseException:
            # The error under way matters more than that the server could not be told of it.
            with suppress(MlopsError):
                self._end_run(run["info"]["run_id"], "FAILED")
            raise
        self._end_run(run["info"]["run_id"], "FINISHED")

    def _end_run(self, run_id: str, status: str) -> None:
        now = int(time.time() * 1000)
        self._rest.send("POST", "runs/update", {"run_id": run_id, "status": status, "end_time": now})

    def _log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Text as it is, everything else as JSON."""
        entries = pairs(
            {key: value if isinstance(value, str) else _json(value) for key, value in params.items()}
        )
        for start in range(0, len(entries), _MOST_PARAMS):
            batch = entries[start : start + _MOST_PARAMS]
            self._rest.send("POST", "runs/log-batch", {"run_id": run_id, "params": batch})

    def _log_dataset(self, run_id: str, name: str, uri: str, version: str) -> None:
        """MLflow digests hold 36 characters: the whole version is in the tag ``mlops.dataset_version``."""
        dataset = {
            "name": name,
            "digest": version[:36],
            "source_type": _SOURCE_TYPES.get(urlsplit(uri).scheme, "artifact"),
            "source": _json({"uri": uri}),
        }
        entry = {"dataset": dataset, "tags": pairs({"mlflow.data.context": "training"})}
        self._rest.send("POST", "runs/log-inputs", {"run_id": run_id, "datasets": [entry]})

    def _log_model(
        self,
        run: Mapping[str, Any],
        estimator: Any,
        *,
        example: pd.DataFrame,
        task: TaskKind,
        trusted_types: Sequence[str],
        texts: Sequence[str],
    ) -> str:
        """Save, hash and hand over the model's files; the logged model's id."""
        info = run["info"]
        body = {"experiment_id": info["experiment_id"], "name": "model", "source_run_id": info["run_id"]}
        model = self._rest.send("POST", "logged-models", body)["model"]["info"]
        model_id = str(model["model_id"])
        output = {"run_id": info["run_id"], "models": [{"model_id": model_id, "step": 0}]}
        with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as parent:
            folder = Path(parent, "model")
            model_skops.save(
                folder,
                estimator,
                example=example,
                task=task,
                trusted_types=trusted_types,
                texts=texts,
                run_id=info["run_id"],
                model_id=model_id,
            )
            hashes = {
                "mlops.model_sha256": _sha256((folder / MODEL_FILE).read_bytes()),
                "mlops.mlmodel_sha256": _sha256((folder / DESCRIPTION_FILE).read_bytes()),
            }
            ArtifactFolder(self._rest, model["artifact_uri"]).write_all(folder)
        self._rest.send("POST", "runs/log-batch", {"run_id": info["run_id"], "tags": pairs(hashes)})
        status = {"model_id": model_id, "status": "LOGGED_MODEL_READY"}
        self._rest.send("PATCH", f"logged-models/{model_id}", status)
        self._rest.send("POST", "runs/outputs", output)
        return model_id

    def _files(self, run: Mapping[str, Any]) -> ArtifactFolder:
        return ArtifactFolder(self._rest, run["info"]["artifact_uri"])


def _check_unchanged(model_uri: str, file: str, body: bytes, recorded: str | None) -> None:
    if recorded is not None and recorded != (found := _sha256(body)):
        raise ModelRefused(
            f"{model_uri}: {file} is not the file that was logged (sha256 {found[:12]}, recorded "
            f"{recorded[:12]}). Somebody changed it in the artifact store; train or register the model anew."
        )


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _number(value: float) -> float | str:
    """JSON has no word for infinity; MLflow reads these strings."""
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
