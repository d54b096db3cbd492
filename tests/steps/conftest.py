"""A small model on made-up rows, with an in-memory tracking server and serving target.

Everything else (store, ledger, data, checks, metrics, drift) is the real thing. The contract suites hold
the real tracking server and the real gateway to the behaviour that these two stand in for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.backends.tracking import ModelFiles
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.raised import raised
from airflow_mlops.core.tuning import Trial
from airflow_mlops.core.values import (
    ArmObservation,
    Deployment,
    ModelRef,
    Observation,
    Rollout,
    RunInfo,
    RunKey,
    RunRef,
    SearchRun,
    Traffic,
)
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import ModelRefused

UTC = timezone.utc
START = datetime(2024, 1, 1, tzinfo=UTC)

YAML = """\
apiVersion: airflow-mlops/v1
model: churn
owner: tests
level: 3
schedule: {start: 2024-01-01}
task: binary_classification
data:
  source: {type: parquet, path: "rows/*.parquet"}
  time_column: at
  key: id
  label: churned
  features: {age: numeric, spend: numeric, plan: categorical}
  window: {start: 2024-01-01}
  holdout: {length: 10 days}
validation:
  expectations:
    - {type: expect_column_values_to_not_be_null, kwargs: {column: age}}
    - {type: expect_column_values_to_be_between, kwargs: {column: spend, min_value: 0}, severity: warning}
training:
  estimator: sklearn.linear_model.LogisticRegression
evaluation:
  metrics: [roc_auc, log_loss]
gates:
  minimum_rows: 50
  rules:
    - {type: threshold, metric: roc_auc, minimum: 0.6}
    - {type: champion, metric: roc_auc, margin: 0.02}
monitor:
  cron: "@weekly"
  window: 10 days
  labels:
    source: {type: parquet, path: "labels/*.parquet"}
  performance: {metric: roc_auc, tolerance: 0.02, minimum_labels: 50}
"""


def made_up_rows(days: int = 60, per_day: int = 20, seed: int = 0, signal: float = 1.5) -> pd.DataFrame:
    """Rows with a learnable label: ``signal`` is the weight of ``age`` in its log-odds."""
    rng = np.random.default_rng(seed)
    count = days * per_day
    age = rng.normal(size=count)
    odds = signal * age + 0.3 * rng.normal(size=count)
    return pd.DataFrame(
        {
            "id": [f"r{index}" for index in range(count)],
            "at": [
                START + timedelta(days=index // per_day, minutes=index % per_day) for index in range(count)
            ],
            "age": age,
            "spend": np.abs(rng.normal(size=count)),
            "plan": rng.choice(["free", "pro"], size=count),
            "churned": (rng.uniform(size=count) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


@dataclass
class _Loaded:
    estimator: Any

    def predict(self, features: pd.DataFrame) -> Any:
        try:
            if not hasattr(self.estimator, "predict_proba"):
                return self.estimator.predict(features)
            chances = self.estimator.predict_proba(features)
            return chances[:, 1] if chances.shape[1] == 2 else chances
        except (ValueError, KeyError) as error:
            raise ModelRefused(raised(error)) from None


@dataclass
class MemoryTracking:
    """Runs and versions in dictionaries."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    version_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    searches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def log_training(self, *, run_key: str, estimator: Any, tags: Mapping[str, str], **given: Any) -> RunRef:
        run_id = f"run-{run_key}"
        dataset = {
            "mlops.dataset_uri": given["dataset_uri"],
            "mlops.dataset_version": given["dataset_version"],
        }
        self.runs[run_id] = {
            "estimator": estimator,
            "tags": {**tags, **dataset},
            "files": dict(given["files"]),
            "params": given["params"],
            "metrics": {},
            "logged": {key: given[key] for key in ("task", "trusted_types")},
            "example": given["input_example"],
        }
        return RunRef(run_id=run_id, model_uri=f"runs:/{run_id}/model")

    def begin_search(
        self, *, experiment: str, run_name: str, run_key: str, tags: Mapping[str, str]
    ) -> SearchRun:
        return SearchRun(f"search-{run_key}", experiment)

    def log_trial(self, search: SearchRun, trial: Trial, *, metric: str) -> None:
        found = self.searches.setdefault(search.run_id, {"trials": {}})
        found["trials"].setdefault(trial.number, trial)

    def end_search(
        self, search: SearchRun, *, params: Mapping[str, Any], metrics: Mapping[str, float], failed: bool
    ) -> None:
        self.searches[search.run_id] |= {"best": params, "metrics": metrics}
        self.searches[search.run_id]["ended"] = "failed" if failed else "finished"

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        self.runs[run_id]["metrics"].update(metrics)

    def log_file(self, run_id: str, path: str, body: bytes) -> None:
        self.runs[run_id]["files"][path] = body

    def read_file(self, run_id: str, path: str) -> bytes:
        return self.runs[run_id]["files"][path]

    def load(self, model_uri: str, *, trusted_types: Sequence[str] = ()) -> _Loaded:
        kind, _, rest = model_uri.partition(":/")
        run_id = rest.split("/")[0] if kind == "runs" else self.versions[int(rest.split("/")[1]) - 1]
        return _Loaded(self.runs[run_id]["estimator"])

    def files_of(self, model_uri: str) -> ModelFiles:
        run = self.runs[model_uri.removeprefix("runs:/").removesuffix("/model")]
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent, "model")
            model_skops.save(
                folder, run["estimator"], example=run["example"], run_id="r", model_id="m", **run["logged"]
            )
            return ModelFiles((folder / "MLmodel").read_bytes(), (folder / "model.skops").read_bytes())

    def register(self, name: str, run: RunRef, tags: Mapping[str, str]) -> ModelRef:
        if run.run_id not in self.versions:
            self.versions.append(run.run_id)
            self.set_tags(ModelRef(name, str(len(self.versions))), tags)
        return ModelRef(name, str(self.versions.index(run.run_id) + 1))

    def alias(self, name: str, alias: str) -> ModelRef | None:
        version = self.aliases.get(alias)
        return ModelRef(name, version) if version else None

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version

    def drop_alias(self, name: str, alias: str) -> None:
        self.aliases.pop(alias, None)

    def run_of(self, model: ModelRef) -> RunRef:
        run_id = self.versions[int(model.version) - 1]
        return RunRef(run_id=run_id, model_uri=f"runs:/{run_id}/model")

    def tags_of(self, run_id: str) -> dict[str, str]:
        return dict(self.runs[run_id]["tags"])

    def describe(self, model: ModelRef, text: str) -> None:
        self.runs[self.versions[int(model.version) - 1]]["description"] = text

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        if tags:
            self.version_tags.setdefault(model.version, {}).update(tags)


@dataclass
class MemoryServing:
    """A serving target that does as it is told; ``seen`` is what it reports of a stage."""

    tracking: MemoryTracking
    state: Traffic = field(default_factory=lambda: Traffic(champion=None))
    seen: dict[str, ArmObservation] = field(default_factory=dict)
    disagreements: int = 0
    broken: str | None = None
    brought_up: set[str] = field(default_factory=set)

    def traffic(self) -> Traffic:
        return self.state

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        self.brought_up.add(rollout_id)
        return Deployment(True, "in memory")

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        if self.broken:
            raise ModelRefused(self.broken)
        model = self.tracking.load(f"models:/{candidate.name}/{candidate.version}")
        return model.predict(pd.DataFrame(list(rows))).tolist()

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: Any, weight: float) -> Traffic:
        self.state = replace(
            self.state, challenger=candidate, mode=mode, weight=weight, rollout_id=rollout_id
        )
        return self.state

    def observe(self, rollout_id: str) -> Observation:
        return Observation(
            rollout_id=rollout_id,
            mode=self.state.mode,
            weight=self.state.weight,
            since=START,
            champion=self.seen.get("champion"),
            challenger=self.seen.get("challenger"),
            disagreements=self.disagreements,
        )

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        self.state = Traffic(champion=candidate)
        return self.state

    def roll_back(self, rollout_id: str) -> Traffic:
        self.brought_up.discard(rollout_id)
        if self.state.rollout_id == rollout_id:
            self.state = Traffic(champion=self.state.champion)
        return self.state


class TestBackends:
    """The real backends, with the two servers in memory."""

    __test__ = False

    def __init__(self, root: Path) -> None:
        self._real = connect(Endpoints(store=str(root)))
        self.tracking = MemoryTracking()
        self.serving = MemoryServing(self.tracking)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The store, with sixty days of rows in it."""
    (tmp_path / "store" / "rows").mkdir(parents=True)
    (tmp_path / "store" / "labels").mkdir()
    made_up_rows().to_parquet(tmp_path / "store" / "rows" / "all.parquet")
    return tmp_path / "store"


@pytest.fixture
def config(tmp_path: Path) -> ModelConfig:
    path = tmp_path / "churn.yaml"
    path.write_text(YAML)
    return load_model(path).config


@pytest.fixture
def backends(root: Path) -> TestBackends:
    return TestBackends(root)


@pytest.fixture
def make_run():
    """``make_run(day, kind=..., run_id=...)``: a run whose window ends on that day of the made-up data."""

    def make(day: int = 40, *, kind: Any = "manual", run_id: str = "r1", dag: str = "train") -> RunInfo:
        end = START + timedelta(days=day)
        window = Window(end - timedelta(days=10), end)
        sources = WindowSources(run_after=end) if kind == "asset" else WindowSources(params=window)
        return RunInfo(
            key=RunKey(f"churn.{dag}", run_id),
            kind=kind,
            sources=sources,
            now=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=day),
            config_digest="d1",
        )

    return make


@pytest.fixture
def prove(backends):
    """``prove(run, rollout)``: every stage that the rollout must have has passed, or the first ``only``; the
    rollout. Promotion refuses one without its verdicts."""
    kinds: dict[str, Any] = {"smoke": "smoke_served", "approval": "approved", "shadow": "shadowed"}

    def make(run: RunInfo, rollout: Rollout, only: int | None = None) -> Rollout:
        version = rollout.candidate.version
        (claim,) = (
            item
            for item in backends.ledger.entries(rollout.candidate.name)
            if item.kind == "rollout_taken" and item.subject == version
        )
        for stage in claim.data["required"][:only]:
            weight = float(stage.split()[1]) if " " in stage else 0.0
            backends.ledger.append(
                Entry(
                    rollout.candidate.name,
                    kinds.get(stage, "canary_step"),
                    version,
                    run.now,
                    run.key.dag_id,
                    run.key.run_id,
                    stage=str(weight),
                    data={"outcome": "pass", "weight": weight},
                )
            )
        return rollout

    return make
