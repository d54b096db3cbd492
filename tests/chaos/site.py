"""One model on real servers and a real store, and its deploy DAG with a process for every task."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from airflow_mlops.backends.base import Endpoints, ServingEndpoint
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.demo import stack
from airflow_mlops.config.load import load_model
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import RunInfo, RunKey
from airflow_mlops.core.windows import WindowSources
from airflow_mlops.exceptions import MlopsError
from airflow_mlops.steps.catalog import STEPS, run_step

from .killing import Changes
from .servers import Server
from .users import row

MODEL = "churn"
TRIES = 4
LOOKS = 400
_FORK = multiprocessing.get_context("fork")

YAML = Path(__file__).parents[1] / "churn.yaml"
MORE = """\
deploy:
  shadow: {minimum_requests: 20}
  steps: [0.5]
  analysis: {minimum_requests: 20, latency: {max_ratio: 100}}
  deadline: 1 hour
  poll_interval_seconds: 2
execution: {retries: 3, retry_delay: 1 second}
"""


class RunLost(Exception):
    """The run has ended without an orderly end: its worker died and nobody tries again."""


@dataclass
class ChaosSite:
    """``gateway`` and ``mlflow`` are the servers; ``epoch`` goes on with each run, as a clock would."""

    home: Path
    site: stack.Site
    gateway: Server
    mlflow: Server
    config: Any
    registered: int = 0
    runs: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def backends(self) -> Any:
        return connect(self.endpoints)

    @property
    def endpoints(self) -> Endpoints:
        serving = ServingEndpoint("embedded", MODEL, self.site.url("gateway"), self.site.token)
        return Endpoints(str(self.site.store), tracking=self.site.url("mlflow"), serving=serving)

    def register(self) -> str:
        """A challenger comes out of training: a real model in MLflow, and its entry."""
        import numpy as np
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        self.registered += 1
        rows = pd.DataFrame([row(turn, number) for turn in range(20) for number in range(10)])
        features = rows[["age", "spend"]]
        estimator = LogisticRegression(C=float(self.registered))
        estimator.fit(features, (rows["age"] + 0.1 * np.sin(rows.index) > 0.5).astype(int))
        tracking = self.backends.tracking
        run = tracking.log_training(
            experiment=MODEL, run_name=f"v{self.registered}", run_key=f"chaos-{self.registered}",
            estimator=estimator, input_example=features.head(5), task="binary_classification", params={},
            tags={"mlops.kind": "challenger"}, dataset_uri="file:///nowhere", dataset_version="0" * 64,
            trusted_types=(), files={},
        )  # fmt: skip
        smoke = {
            "rows": json.loads(features.head(5).to_json(orient="records")),
            "predictions": estimator.predict_proba(features.head(5))[:, 1].tolist(),
        }
        tracking.log_file(run.run_id, "smoke.json", json.dumps(smoke).encode())
        version = str(tracking.register(MODEL, run, {}).version)
        tracking.set_alias(MODEL, "challenger", version)
        self.backends.ledger.append(
            Entry(MODEL, "registered", version, datetime.now(timezone.utc), f"{MODEL}.train", f"t{version}",
                  version=version, data={"role": "challenger"})
        )  # fmt: skip
        return version

    def deploy(self, changes: Changes | None = None) -> bool:
        """A run of the deploy DAG, its stages under the users' traffic; False where nothing was pending.
        Raises ``RunLost``."""
        self.runs += 1
        run_id = f"d{self.runs}"
        rollout = self._task("take_challenger", run_id, changes)
        if rollout is None:
            return False
        given = {"rollout": rollout}
        try:
            held = self._task("smoke_serve", run_id, changes, **given)["outcome"] != "pass"
            if rollout["champion"] is not None:
                for mode, weight in (("shadow", 0.0), ("canary", 0.5)):
                    stage = {**given, "mode": mode, "weight": weight}
                    held = held or not self._stage(run_id, changes, stage)
        except TaskFailed:
            held = True
        if held:
            self._task("roll_back", run_id, changes, **given, reasons=["a stage did not pass"])
        else:
            self._task("promote", run_id, changes, **given)
        return True

    def _stage(self, run_id: str, changes: Changes | None, stage: Mapping[str, Any]) -> bool:
        opened = self._task("open_stage", run_id, changes, **stage)
        if opened["verdict"] is not None:
            return bool(opened["verdict"]["outcome"] == "pass")
        for _ in range(LOOKS):
            verdict = self._task("judge_stage", run_id, changes, **stage)
            if verdict["outcome"] != "inconclusive":
                return bool(verdict["outcome"] == "pass")
            time.sleep(0.3)
        raise TaskFailed(f"no verdict after {LOOKS} looks: {verdict}")

    def _task(self, step: str, run_id: str, changes: Changes | None, **given: Any) -> Any:
        """One task, tried again where it died or a server was away, as Airflow does."""
        told = ""
        for _ in range(TRIES):
            self.revive()
            outcome = self._try(step, run_id, changes, given)
            if outcome is None and changes is not None and changes.kill is not None:
                self.log.append(f"{step}: killed")
                if changes.kill.victim == "run":
                    raise RunLost(step)
                continue
            if outcome is None:
                raise RuntimeError(f"{step} died by itself")
            if "result" in outcome:
                return outcome["result"]
            told = outcome["error"]
            self.log.append(f"{step}: {told}")
            if not outcome["retry"]:
                raise TaskFailed(told)
            time.sleep(0.2)
        raise TaskFailed(told)

    def revive(self) -> None:
        """Whoever looks after the servers starts the dead ones."""
        self.mlflow.revive()
        self.gateway.revive()

    def _try(self, step: str, run_id: str, changes: Changes | None, given: Mapping[str, Any]) -> Any:
        """Run a step in a process of its own; None where it was killed."""
        here, there = _FORK.Pipe(duplex=False)
        key = RunKey(f"{MODEL}.deploy", run_id)
        now = datetime.now(timezone.utc)
        run = RunInfo(key, "manual", WindowSources(run_after=now), now, "d1")
        request = {"config": self.config.model_dump(mode="json"), "run": _json(run), **given}
        worker = _FORK.Process(target=_work, args=(step, request, self.endpoints, changes, there))
        worker.start()
        there.close()
        try:
            outcome = here.recv()
        except EOFError:
            outcome = None
        worker.join()
        return outcome


class TaskFailed(Exception):
    """The task is red."""


def _work(
    step: str, request: Mapping[str, Any], endpoints: Endpoints, changes: Changes | None, told: Connection
) -> None:
    backends: Any = connect(endpoints)
    if changes is not None:
        backends = changes.watched(backends)
    try:
        told.send({"result": _run(step, request, backends)})
    except MlopsError as error:
        told.send({"error": f"{type(error).__name__}: {error}", "retry": error.retry_can_help})
    except Exception:  # noqa: BLE001 - the task is red, whatever it was
        told.send({"error": traceback.format_exc(), "retry": False})


def _run(step: str, request: Mapping[str, Any], backends: Any) -> Any:
    return run_step(step, request, backends)


def _json(run: RunInfo) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(RunInfo).dump_python(run, mode="json")


@contextmanager
def chaos_site(home: Path) -> Iterator[ChaosSite]:
    """Start MLflow and the model server; both are stopped at the end, with all their processes."""
    site = stack.new_site(home, home, model=MODEL, key_column="id", time_column="at", port_base=None)
    site.store.mkdir(parents=True)
    site.logs.mkdir(parents=True)
    yaml = home / "configs" / f"{MODEL}.yaml"
    yaml.parent.mkdir()
    yaml.write_text(YAML.read_text() + MORE)
    env = {**stack.environment(site), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    commands = {"mlflow": stack.mlflow_command(site), "gateway": stack.gateway_command(site)}
    mlflow, gateway = (
        Server(name, command, env, site.logs / f"{name}.log", f"{site.url(name)}/health")
        for name, command in commands.items()
    )
    try:
        for server in (mlflow, gateway):
            server.start()
        # Imported while they start, and before the workers are forked, or each of them would do so.
        for step in ("take_challenger", "smoke_serve", "open_stage", "promote", "roll_back"):
            import_module(STEPS[step].partition(":")[0])
        for library in ("mlflow", "pandas", "skops.io", "sklearn.linear_model"):
            import_module(library)
        for server in (mlflow, gateway):
            server.wait_until_up()
        yield ChaosSite(home, site, gateway, mlflow, load_model(yaml).config)
    finally:
        for server in (gateway, mlflow):
            server.stop()
