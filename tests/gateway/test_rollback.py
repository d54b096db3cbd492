"""`airflow-mlops rollback` on a real MLflow server, model server and ledger, without any Airflow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.ensemble import HistGradientBoostingClassifier

from airflow_mlops.backends.base import Backends, Endpoints, ServingEndpoint
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.main import main
from airflow_mlops.config.load import load_model
from airflow_mlops.core.ledger import Entry, champion_at
from airflow_mlops.core.values import ModelRef, RunInfo, RunKey
from airflow_mlops.core.windows import WindowSources
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import RolloutRequest, TakeChallengerRequest
from airflow_mlops.steps.run_files import SMOKE_FILE
from airflow_mlops.steps.smoke_serve import smoke_serve
from airflow_mlops.steps.take_challenger import take_challenger

pytestmark = pytest.mark.slow

YAML = """\
apiVersion: airflow-mlops/v1
model: gusts
level: 2
task: binary_classification
data:
  source: {type: parquet, path: "rows/*.parquet"}
  time_column: at
  key: id
  label: strong
  features: {wind: numeric, gust: numeric}
  window: {length: 3 months}
  holdout: {length: 10 days}
training: {estimator: sklearn.linear_model.LogisticRegression}
evaluation: {metrics: [roc_auc]}
gates:
  minimum_rows: 50
  rules: [{type: threshold, metric: roc_auc, minimum: 0.6}]
deploy: {strategy: direct}
"""
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


class Site:
    """A store, a server, and two champions one after the other."""

    def __init__(self, folder: Path, backends: Backends, tracking: str, server: str) -> None:
        self.folder, self.backends, self.tracking, self.server = folder, backends, tracking, server

    def roll_back(self, *more: str, answer: str | None = None) -> Result:
        words = ["rollback", "gusts", "--configs", str(self.folder), "--store", str(self.folder / "store")]
        words += ["--tracking-uri", self.tracking, "--server", self.server, "--reason", "wrong prices", *more]
        return CliRunner().invoke(main, words, input=answer)

    def champion(self) -> str | None:
        traffic = self.backends.serving.traffic()
        return None if traffic.champion is None else traffic.champion.version


@pytest.fixture
def site(tmp_path: Path, mlops_mlflow_server: str) -> Iterator[Site]:
    (tmp_path / "gusts.yaml").write_text(YAML)
    settings = Settings(model="gusts", store=tmp_path / "store", tracking_uri=mlops_mlflow_server)
    with serve_in_thread(settings) as url:
        serving = ServingEndpoint("embedded", "gusts", url)
        backends = connect(Endpoints(str(tmp_path / "store"), mlops_mlflow_server, serving=serving))
        made = Site(tmp_path, backends, mlops_mlflow_server, url)
        for number in (1, 2):
            _promote(made, number)
        yield made


def _promote(site: Site, number: int) -> None:
    tracking = site.backends.tracking
    rng = np.random.default_rng(number)
    rows = pd.DataFrame({"wind": rng.normal(10, 4, 500), "gust": rng.normal(15, 4, 500)})
    model = HistGradientBoostingClassifier(max_iter=50).fit(rows, rows["wind"] + rows["gust"] > 25)
    run = tracking.log_training(
        experiment="gusts",
        run_name=f"run {number}",
        run_key=f"train|{number}|-1",
        estimator=model,
        input_example=rows.head(),
        task="binary_classification",
        params={},
        tags={},
        dataset_uri="file:///gusts.parquet",
        dataset_version="0" * 64,
        trusted_types=(),
    )
    kept = {
        "rows": rows.head(5).to_dict("records"),
        "predictions": model.predict_proba(rows.head(5))[:, 1].tolist(),
    }
    tracking.log_file(run.run_id, SMOKE_FILE, json.dumps(kept).encode())
    version = tracking.register("gusts", run, {})
    loaded = load_model(site.folder / "gusts.yaml")
    at = NOW + timedelta(days=number)
    told = RunInfo(RunKey("gusts.deploy", f"d{number}"), "manual", WindowSources(), at)
    told = replace(told, config_digest=loaded.digest)
    site.backends.ledger.append(
        Entry("gusts", "registered", version.version, at, "gusts.train", "t", data={"role": "challenger"})
    )
    rollout = take_challenger(TakeChallengerRequest(loaded.config, told), site.backends)
    assert rollout is not None
    assert smoke_serve(RolloutRequest(loaded.config, told, rollout), site.backends).passed
    promote(RolloutRequest(loaded.config, told, rollout), site.backends)


def _asked_all_the_time(site: Site, act: Callable[[], Any]) -> tuple[Any, list[int]]:
    """What an act came to, and the codes of the requests that were answered meanwhile."""
    codes: list[int] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=site.server, timeout=20) as http:
            while not done.is_set():
                codes.append(http.post("/predict", json={"rows": [{"wind": 9.0, "gust": 12.0}]}).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        return act(), codes
    finally:
        done.set()
        asking.join()


def test_an_earlier_champion_serves_within_five_seconds_and_no_request_is_lost(site: Site) -> None:
    asked = site.roll_back(answer="n\n")
    assert "gusts: version 2 is taken out, version 1 is champion again" in asked.output
    assert (asked.exit_code, site.champion()) == (1, "2")
    started = time.monotonic()
    done, codes = _asked_all_the_time(site, lambda: site.roll_back("--by", "anna", answer="y\n"))
    assert time.monotonic() - started < 5
    assert done.exit_code == 0, done.output
    assert "version 1 of gusts is the champion and serves; version 2 was taken out" in done.output
    assert len(codes) > 10
    assert set(codes) == {200}
    tracking = site.backends.tracking
    assert (site.champion(), tracking.alias("gusts", "champion")) == (
        "1",
        ModelRef("gusts", "1", tracking.alias("gusts", "champion").url),
    )
    reign = champion_at(site.backends.ledger.entries("gusts"))
    assert (reign.kind, reign.version, reign.actor, reign.reasons) == (
        "reversed",
        "1",
        "anna",
        ("wrong prices",),
    )
    history = CliRunner().invoke(main, ["history", "gusts", "--store", str(site.folder / "store")]).output
    assert "gusts: champion is version 1" in history
    assert "reversed  version 1  by anna" in history
    again = site.roll_back("--yes")
    assert again.exit_code == 1
    assert "no champion of gusts to go back to: version 1 is the first one" in again.output
    assert site.roll_back("--to", "2", "--yes").exit_code == 0
    assert site.champion() == "2"


def test_a_model_that_no_yaml_describes_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    words = ["rollback", "gusts", "--configs", str(tmp_path), "--store", "s", "--tracking-uri", "http://x"]
    done = CliRunner().invoke(main, [*words, "--reason", "r"])
    assert f"no YAML in {tmp_path} describes a model 'gusts'" in done.output
