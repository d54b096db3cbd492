"""Hyperparameter searches in MLflow: one run a search, and a run nested in it for each trial."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_mlops.backends.mlflow_rest import MlflowRest
from airflow_mlops.backends.registry_mlflow import pairs, quoted
from airflow_mlops.core.tuning import Trial, TrialState
from airflow_mlops.core.values import SearchRun

# MLflow has no word for a trial that was given up half-way; a run that was killed is the nearest.
_STATUS: Mapping[TrialState, str] = {
    "running": "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "failed": "FAILED",
    "lost": "KILLED",
}


class MlflowSearches:
    """Runs of searches on one server. A trial's run is made when the trial is over, whole, so that a worker
    that dies leaves nothing half-told."""

    def __init__(self, rest: MlflowRest) -> None:
        self._rest = rest

    def begin(self, experiment_id: str, name: str, run_key: str, tags: Mapping[str, str]) -> SearchRun:
        """The run of this key, made if there is none. Two that ask at once would make two."""
        filter_ = f"tags.`mlops.run_key` = {quoted(run_key)}"
        run = self._found(experiment_id, filter_)
        if run is None:
            body = {
                "experiment_id": experiment_id,
                "run_name": name,
                "start_time": int(time.time() * 1000),
                "tags": pairs({**tags, "mlops.run_key": run_key, "mlflow.source.type": "JOB"}),
            }
            run = self._rest.send("POST", "runs/create", body)["run"]
        run_id = str(run["info"]["run_id"])
        url = f"{self._rest.shown_uri}/#/experiments/{experiment_id}/runs/{run_id}"
        return SearchRun(run_id, experiment_id, url)

    def log_trial(self, search: SearchRun, trial: Trial, metric: str) -> None:
        """A trial that is over, once. One that is half there, because its worker died, is filled up."""
        filter_ = (
            f"tags.`mlflow.parentRunId` = {quoted(search.run_id)} and tags.`mlops.trial` = '{trial.number}'"
        )
        run = self._found(search.experiment_id, filter_) or self._new(search, trial)
        info = run["info"]
        if info["status"] != "RUNNING":
            return
        ended = _milliseconds(trial.ended)
        metrics = [
            {"key": metric, "value": value, "timestamp": ended, "step": fold}
            for fold, value in enumerate(trial.folds, start=1)
        ]
        if math.isfinite(trial.value):
            metrics.append({"key": f"mean_{metric}", "value": trial.value, "timestamp": ended, "step": 0})
        params = pairs({name: _text(value) for name, value in trial.params.items()})
        for start in range(0, len(params), 100):
            batch = {"run_id": info["run_id"], "params": params[start : start + 100]}
            self._rest.send("POST", "runs/log-batch", batch)
        self._rest.send("POST", "runs/log-batch", {"run_id": info["run_id"], "metrics": metrics})
        self._end(info["run_id"], _STATUS[trial.state], ended)

    def end(
        self, search: SearchRun, params: Mapping[str, Any], metrics: Mapping[str, float], *, failed: bool
    ) -> None:
        """Close the search's run. Parameters are tags here: MLflow refuses another value of a param, and a
        search that was given more trials may find a better one."""
        now = int(time.time() * 1000)
        entries = [
            {"key": name, "value": value, "timestamp": now, "step": 0}
            for name, value in metrics.items()
            if math.isfinite(value)
        ]
        best = pairs({f"best.{name}": _text(value)[:5_000] for name, value in params.items()})
        for start in range(0, len(best), 100):
            batch = {"run_id": search.run_id, "tags": best[start : start + 100]}
            self._rest.send("POST", "runs/log-batch", batch)
        self._rest.send("POST", "runs/log-batch", {"run_id": search.run_id, "metrics": entries})
        self._end(search.run_id, "FAILED" if failed else "FINISHED", now)

    def _new(self, search: SearchRun, trial: Trial) -> dict[str, Any]:
        tags = {
            "mlflow.parentRunId": search.run_id,
            "mlops.trial": str(trial.number),
            "mlops.trial_state": trial.state,
            "mlops.trial_worker": str(trial.worker),
            "mlops.trial_reason": trial.reason[:4_000],
        }
        body = {
            "experiment_id": search.experiment_id,
            "run_name": f"trial {trial.number}",
            "start_time": _milliseconds(trial.started),
            "tags": pairs({name: value for name, value in tags.items() if value}),
        }
        run: dict[str, Any] = self._rest.send("POST", "runs/create", body)["run"]
        return run

    def _found(self, experiment_id: str, filter_: str) -> dict[str, Any] | None:
        body = {"experiment_ids": [experiment_id], "filter": filter_, "max_results": 1}
        runs = self._rest.search("runs/search", body).get("runs", ())
        return runs[0] if runs else None

    def _end(self, run_id: str, status: str, at: int) -> None:
        self._rest.send("POST", "runs/update", {"run_id": run_id, "status": status, "end_time": at})


def _milliseconds(moment: datetime | None) -> int:
    return int((moment.timestamp() if moment else time.time()) * 1000)


def _text(value: Any) -> str:
    """Text as it is, everything else as JSON: as a training's params are."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
