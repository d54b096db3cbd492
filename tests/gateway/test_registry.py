"""The gateway on a real MLflow server with real models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.serving_embedded import EmbeddedTarget
from airflow_mlops.backends.tracking_mlflow import MlflowTracking
from airflow_mlops.core.values import ModelRef
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings
from airflow_mlops.testing.mlflow_server import mlflow_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MlflowTracking, str]]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield MlflowTracking(url), url


def _flights() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame({"wind": rng.normal(10, 4, 300), "carrier": rng.choice(["AA", "UA"], 300)})


def _registered(tracking: MlflowTracking, flights: pd.DataFrame, seed: int) -> tuple[ModelRef, Any]:
    carrier = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    estimator = make_pipeline(
        make_column_transformer((carrier, ["carrier"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=5 * seed, random_state=seed),
    ).fit(flights, flights["wind"] > 9)
    run = tracking.log_training(
        experiment="flights",
        run_name=f"run {seed}",
        run_key=f"train|{seed}|-1",
        estimator=estimator,
        input_example=flights.head(),
        task="binary_classification",
        params={},
        tags={},
        dataset_uri="file:///flights.parquet",
        dataset_version="0" * 64,
        trusted_types=(),
    )
    return tracking.register("flights", run, {}), estimator


def test_a_registered_model_answers_as_it_did_in_training_from_its_first_promotion_on(
    tracking: tuple[MlflowTracking, str], tmp_path: Path
) -> None:
    registry, url = tracking
    flights = _flights()
    settings = Settings(model="flights", store=tmp_path, tracking_uri=url, poll_seconds=0.1)
    with serve_in_thread(settings) as gateway:
        while "registry yet" not in httpx.get(f"{gateway}/ready", timeout=30).text:
            time.sleep(0.02)
        target = EmbeddedTarget(ServingEndpoint("embedded", "flights", gateway))
        first, champion = _registered(registry, flights, 1)
        second, challenger = _registered(registry, flights, 2)
        target.promote("r1", first)
        rows = flights.assign(carrier=flights["carrier"].where(flights.index % 7 > 0)).to_dict("records")
        wanted = {
            one.version: model.predict_proba(pd.DataFrame(rows))[:, 1]
            for one, model in ((first, champion), (second, challenger))
        }
        assert target.smoke(second, rows) == pytest.approx(list(wanted[second.version]))
        target.set_traffic("r2", second, mode="canary", weight=0.5)
        for row in rows:
            row["carrier"] = None if pd.isna(row["carrier"]) else row["carrier"]
        answers = httpx.post(f"{gateway}/predict", json={"rows": rows}).json()["predictions"]
        assert {answer["version"] for answer in answers} == {first.version, second.version}
        for number, answer in enumerate(answers):
            assert answer["prediction"] == pytest.approx(wanted[answer["version"]][number])
        registry.set_alias("flights", "champion", second.version)
        while target.traffic().champion != ModelRef("flights", second.version):
            time.sleep(0.02)
        assert target.promote("r2", second).rollout_id is None
