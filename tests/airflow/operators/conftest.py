"""Operators without a database: a hand-made context, a real store and ledger, two servers in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType

from airflow_mlops.backends import catalog
from airflow_mlops.backends.base import Endpoints
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ArmObservation, Deployment, ModelRef, Observation, RunRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, RolloutRefused

UTC = timezone.utc
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

YAML = """\
apiVersion: airflow-mlops/v1
model: churn
level: 2
task: binary_classification
data:
  source: {type: parquet, path: "rows/*.parquet"}
  time_column: at
  key: id
  label: churned
  features: {age: numeric, plan: categorical}
  window: {length: 3 months}
  holdout: {length: 10 days}
training: {estimator: sklearn.linear_model.LogisticRegression}
evaluation: {metrics: [roc_auc, accuracy]}
gates:
  minimum_rows: 50
  rules: [{type: threshold, metric: roc_auc, minimum: 0.6}]
deploy:
  poll_interval_seconds: 0.01
  deadline: 1 hour
  shadow: {minimum_requests: 100}
  analysis: {minimum_requests: 100}
monitor: {window: 2 days}
"""


@dataclass
class Endpoint:
    """A serving target that shows the next of its scripted looks; the last one stays."""

    looks: list[ArmObservation | Exception | None] = field(default_factory=lambda: [None])
    since: datetime | None = None
    state: Traffic = field(default_factory=lambda: Traffic(champion=ModelRef("churn", "1")))
    now_open: bool = False
    coming_up: list[Deployment | Exception] = field(default_factory=lambda: [Deployment(True, "up")])
    refuses: Exception | None = None

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        found = self.coming_up.pop(0) if len(self.coming_up) > 1 else self.coming_up[0]
        if isinstance(found, Exception):
            raise found
        return found

    def smoke(self, candidate: ModelRef, rows: Any) -> list[float]:
        if self.refuses is not None:
            raise self.refuses
        return [0.5 for _ in rows]

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        self.state = Traffic(champion=candidate)
        return self.state

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: Any, weight: float) -> Traffic:
        if self.state.rollout_id not in (None, rollout_id):
            raise RolloutRefused(f"{self.state.rollout_id} is open")
        self.state = replace(
            self.state, challenger=candidate, mode=mode, weight=weight, rollout_id=rollout_id
        )
        return self.state

    def observe(self, rollout_id: str) -> Observation:
        look: ArmObservation | Exception | None = None
        if self.now_open:
            look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        self.now_open = True
        if isinstance(look, Exception):
            raise look
        return Observation(
            rollout_id=rollout_id,
            mode=self.state.mode,
            weight=self.state.weight,
            since=self.since or datetime.now(UTC),
            champion=ArmObservation("1", rows=self._champions_rows(look), errors=0, latency_p99_seconds=0.01),
            challenger=look,
        )

    def _champions_rows(self, look: ArmObservation | None) -> int:
        """As many as the split leaves it."""
        weight = self.state.weight
        return 500 if look is None or weight == 0 else round(look.rows * (1 - weight) / weight)

    def traffic(self) -> Traffic:
        return self.state

    def roll_back(self, rollout_id: str) -> Traffic:
        self.state = Traffic(champion=self.state.champion)
        return self.state


class Registry:
    """The little of a tracking server that a rollout needs."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.aliases = {"champion": "1"}

    def read_file(self, run_id: str, path: str) -> bytes:
        return self.files[path]

    def alias(self, name: str, alias: str) -> ModelRef | None:
        version = self.aliases.get(alias)
        return None if version is None else ModelRef(name, version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version

    def drop_alias(self, name: str, alias: str) -> None:
        self.aliases.pop(alias, None)

    def run_of(self, model: ModelRef) -> RunRef:
        return RunRef(f"run-{model.version}", f"runs:/run-{model.version}/model")

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        self.tags = dict(tags)


class Backends:
    """A real store and ledger; the endpoint and the registry in memory. ``asked`` is what was connected."""

    def __init__(self, root: Path) -> None:
        self.real = catalog.connect(Endpoints(store=str(root)))
        self.serving = Endpoint()
        self.tracking = Registry()
        self.asked: list[Endpoints] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def entries(self) -> list[Entry]:
        """What was written beside what ``take`` and ``passed`` have prepared."""
        return [item for item in self.real.ledger.entries("churn") if item.run_id != "before"]

    def take(self) -> None:
        """Version 2 has been taken, to go through shadow and canary, and has passed its smoke test."""
        decided = ["smoke", "shadow", "canary 0.1", "canary 0.5"]
        self._wrote("rollout_taken", {"champion": "1", "required": decided})
        self._wrote("smoke_served", {"outcome": "pass"})

    def passed(self, *weights: float) -> None:
        """So have its stages: 0 is the shadow."""
        for weight in weights:
            kind = "canary_step" if weight else "shadowed"
            self._wrote(kind, {"outcome": "pass", "weight": weight})

    def _wrote(self, kind: Any, data: dict[str, Any]) -> None:
        stage = str(data.get("weight", ""))
        self.ledger.append(Entry("churn", kind, "2", NOON, "churn.deploy", "before", stage=stage, data=data))


@dataclass
class TaskInstance:
    """What an operator asks of Airflow's task instance."""

    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    pushed: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    task: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, **_: Any) -> Any:
        return self.results.get(task_ids)

    def get_dr_count(self, *, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self.runs.get(run_id) in states for run_id in run_ids)

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        return {run_ids[0]: {name: self.states[name] for name in task_ids if name in self.states}}


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "churn.yaml"
    path.write_text(YAML)
    return path


@pytest.fixture
def config(yaml_file: Path) -> ModelConfig:
    return load_model(yaml_file).config


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both connections, as a deployment would set them."""
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://:s3cret@mlflow.test:5000")
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT", "mlops-gateway://:t0ken@gateway.test:8000")


@pytest.fixture
def backends(mlops_store: Path, connections: None, monkeypatch: pytest.MonkeyPatch) -> Backends:
    """What every operator and trigger of the test is connected to."""
    made = Backends(mlops_store)

    def connect(endpoints: Endpoints) -> Backends:
        made.asked.append(endpoints)
        return made

    monkeypatch.setattr(catalog, "connect", connect)
    return made


@pytest.fixture
def make_context() -> Callable[..., dict[str, Any]]:
    """``make_context(run_type="manual", params=..., **fields of the DAG run)``."""

    def make(run_type: str = "manual", params: Any = None, **given: Any) -> dict[str, Any]:
        told: dict[str, Any] = {
            "dag_id": "churn.train",
            "run_id": "r1",
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "run_after": NOON,
            "start_date": NOON,
            "end_date": None,
            "run_type": DagRunType(run_type),
            "state": DagRunState.RUNNING,
            "consumed_asset_events": [],
            "partition_key": None,
            **given,
        }
        outlet_events: dict[Any, Any] = {}
        instance = TaskInstance()
        return {
            "dag_run": DagRun(**told),
            "ti": instance,
            "task_instance": instance,
            "params": params or {},
            "outlet_events": _Events(outlet_events),
        }

    return make


class _Events(dict[Any, Any]):
    def __missing__(self, asset: Any) -> Any:
        self[asset] = SimpleNamespace(extra={})
        return self[asset]


@pytest.fixture
def rollout(backends: Backends) -> dict[str, Any]:
    """What take_challenger leaves in XCom, but for the digest."""
    backends.take()
    return {
        "id": "churn-v2",
        "candidate": {"name": "churn", "version": "2", "url": "http://mlflow.test/churn/2"},
        "champion": {"name": "churn", "version": "1", "url": None},
        "training": {"run_id": "run-2", "model_uri": "runs:/run-2/model", "url": None, "sha256": None},
    }


@pytest.fixture
def kept_rows(backends: Backends) -> None:
    """Rows and answers of the evaluation stand with every training run."""
    backends.tracking.files["smoke.json"] = b'{"rows": [{"age": 1, "plan": "a"}], "predictions": [0.5]}'


@pytest.fixture
def champions(backends: Backends, kept_rows: None) -> None:
    """Versions 1 and 2 have been champion one after the other, and 2 serves."""
    for hour, version in enumerate(("1", "2")):
        at = NOON.replace(hour=hour)
        backends.ledger.append(Entry("churn", "promoted", version, at, "churn.deploy", f"d{version}"))
    backends.tracking.aliases["champion"] = "2"
    backends.serving.state = Traffic(champion=ModelRef("churn", "2"))


def arm(rows: int, errors: int = 0) -> ArmObservation:
    return ArmObservation("2", rows=rows, errors=errors, latency_p99_seconds=0.01)


@pytest.fixture
def good() -> ArmObservation:
    return arm(200)


@pytest.fixture
def few() -> ArmObservation:
    return arm(7)


@pytest.fixture
def failing() -> ArmObservation:
    return arm(200, errors=150)


@pytest.fixture
def away() -> BackendUnavailable:
    return BackendUnavailable("the gateway at http://gateway.test:8000 does not answer")


@pytest.fixture
def asked(monkeypatch):
    """What Airflow is told to show; the table it goes to is Airflow's own."""
    shown = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **detail: shown.append(detail)
    )
    return shown
