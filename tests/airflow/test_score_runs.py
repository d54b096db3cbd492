"""The score DAG, run by Airflow against a real MLflow: a day, and the same day backfilled twice."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.windows import Window

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

UTC = timezone.utc
BATCH = """\
deploy: {target: {type: batch}}
score:
  schedule: {cron: "@daily", start: 2026-01-01}
  keep: [cloud]
  shadow_share: 1
"""


def rain(days: int = 5) -> pd.DataFrame:
    """A hundred stations a day; it rains where the pressure is low."""
    rng = np.random.default_rng(3)
    count = 100 * days
    pressure = rng.normal(1013, 10, count)
    return pd.DataFrame(
        {
            "station": [f"s{number}" for number in range(count)],
            "day": [datetime(2026, 3, 1 + number // 100, 6, tzinfo=UTC) for number in range(count)],
            "pressure": pressure,
            "cloud": rng.choice(["low", "high"], count),
            "rain": (pressure + rng.normal(0, 5, count) < 1013).astype(int),
        }
    )


@pytest.fixture
def registered(mlops_mlflow_server: str) -> None:
    """Two versions: the champion and a challenger."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from airflow_mlops.backends.tracking_mlflow import MlflowTracking

    tracking, rows = MlflowTracking(mlops_mlflow_server), rain()
    for alias, strength in (("champion", 1.0), ("challenger", 0.1)):
        columns = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["cloud"]), (StandardScaler(), ["pressure"])
        )
        estimator = make_pipeline(columns, LogisticRegression(C=strength))
        run = tracking.log_training(
            experiment="rain",
            run_name=alias,
            run_key=f"rain.train|{alias}|-1",
            estimator=estimator.fit(rows[["pressure", "cloud"]], rows["rain"]),
            input_example=rows[["pressure", "cloud"]].head(),
            task="binary_classification",
            params={},
            tags={"mlops.code_version": "c1"},
            dataset_uri="file:///gone",
            dataset_version="d" * 64,
            trusted_types=(),
        )
        tracking.set_alias("rain", alias, tracking.register("rain", run, {}).version)


def backfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    """``dag.test()`` makes runs by hand only: what it has made is turned into a backfill's."""
    from airflow.models import dagrun
    from airflow.utils.types import DagRunType

    real = dagrun.get_or_create_dagrun

    def made(**given: object) -> object:
        run = real(**given)  # type: ignore[arg-type]  # handed on as they are
        run.run_type = DagRunType.BACKFILL_JOB
        given["session"].commit()  # type: ignore[attr-defined]  # Airflow's own session
        return run

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", made)


def test_a_day_is_scored_and_a_backfill_of_it_run_twice_replaces_it(
    model_yaml, registered, mlops_load_model_dags, mlops_run_dag, mlops_store: Path, monkeypatch
) -> None:
    rows = rain()
    rows.drop(columns="rain").to_parquet(mlops_store / "rain.parquet")
    dag = mlops_load_model_dags(model_yaml(more=BATCH))["rain.score"]
    day = datetime(2026, 3, 2, tzinfo=UTC)

    run = mlops_run_dag(dag, logical_date=day + timedelta(days=1))
    assert run.state == "success"
    (scored,) = run.results["score"]["partitions"]
    assert (scored["partition"]["name"], scored["rows"], scored["champion"]["version"]) == (
        "2026-03-02",
        100,
        "1",
    )
    assert scored["shadow"]["challenger"]["rows"] == 100
    assert run.events["rain/predictions"]["partitions"][0]["uri"] == scored["uri"]

    backfilled(monkeypatch)
    more = rows[rows["day"].dt.day == 2].head(1).assign(station="late")
    pd.concat([rows, more]).drop(columns="rain").to_parquet(mlops_store / "rain.parquet")
    for _ in range(2):
        again = mlops_run_dag(dag, logical_date=day + timedelta(days=1))
        assert again.state == "success"
        assert again.results["score"]["partitions"][0]["shadow"] is None, "a backfill is shown to nobody"
        assert again.tasks["announce_predictions"] == "success"
    found = pd.read_parquet(mlops_store / "predictions" / "rain")
    assert len(found) == 101
    assert found["station"].is_unique
    assert set(found) == {"station", "day", "cloud", "prediction", "model_version", "error", "date"}
    log = ParquetInferenceLog(LocalStore(mlops_store)).read("rain", Window(day, day + timedelta(days=1)))
    assert log["key"].is_unique
    assert len(log) == 101
