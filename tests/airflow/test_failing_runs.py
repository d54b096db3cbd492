"""Runs that fail on a whole Airflow: what is noted of them, and when they stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

ROOT = Path(__file__).parents[2]
YEAR = {"window_start": "2024-01-01T00:00:00+00:00", "window_end": "2024-12-22T00:00:00+00:00"}


def test_a_step_that_fails_the_same_way_is_noted_run_by_run_until_it_stops(
    tmp_path, monkeypatch, mlops_load_model_dags, mlops_run_dag, mlops_store
) -> None:
    monkeypatch.syspath_prepend(ROOT / "plugins")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://mlflow.test:5000")
    text = (ROOT / "configs" / "breast_cancer.yaml").read_text()
    text = text.replace("model: breast_cancer\n", "model: stops\nhealing: {enabled: true, stop_after: 2}\n")
    path = tmp_path / "stops.yaml"
    path.write_text(text.replace("minimum_rows: 100\n", "minimum_rows: 100000\n"))
    dag = mlops_load_model_dags(path)["stops.train"]
    for _ in range(2):
        assert mlops_run_dag(dag, conf=YEAR).tasks["snapshot"] == "failed"

    files = (mlops_store / "ledger" / "stops").glob("*.json")
    entries = sorted(
        (json.loads(file.read_bytes()) for file in files), key=lambda entry: (entry["at"], entry["kind"])
    )
    assert [entry["kind"] for entry in entries] == ["failed", "failed", "stopped"]
    assert {(entry["subject"], entry["data"]["cause"]) for entry in entries} == {("snapshot", "data")}
    assert "data.minimum_rows asks for 100000" in entries[0]["reasons"][0]
    assert "snapshot has failed the same way in 2 runs in a row" in entries[-1]["reasons"][0]
