"""The example model's DAGs, run task by task against a real MLflow server."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

ROOT = Path(__file__).parents[2]
YEAR = {"window_start": "2024-01-01T00:00:00+00:00", "window_end": "2024-12-22T00:00:00+00:00"}
CANCER = ROOT / "configs" / "breast_cancer.yaml"


@pytest.fixture(autouse=True)
def _training_code(monkeypatch):
    """Airflow puts its plugins folder on the path, where the examples' own code lies."""
    monkeypatch.syspath_prepend(ROOT / "plugins")


@pytest.fixture
def cancer(tmp_path):
    """The example under a name of the test's own, so that MLflow's registry starts empty for it."""

    def write(name: str, **replaced: str) -> Path:
        text = CANCER.read_text().replace("model: breast_cancer\n", f"model: {name}\n")
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return path

    return write


def ledger(store: Path, model: str) -> list[str]:
    entries = [json.loads(path.read_bytes()) for path in (store / "ledger" / model).glob("*.json")]
    return [entry["kind"] for entry in sorted(entries, key=lambda entry: entry["at"])]


def test_a_good_challenger_is_trained_registered_and_announced(
    cancer, mlops_load_model_dags, mlops_run_dag, mlops_store, mlops_mlflow_server
):
    asks = {"gates:\n": "gates:\n  on_fail: ask\n  on_inconclusive: ask\n"}
    dag = mlops_load_model_dags(cancer("good", **asks))["good.train"]

    run = mlops_run_dag(dag, conf=YEAR)

    assert run.state == "success"
    assert {task for task, state in run.tasks.items() if state != "success"} == {"review"}
    assert run.tasks["review"] == "skipped"
    assert run.results["gate"]["outcome"] == "pass"
    assert run.results["evaluate"]["challenger"]["roc_auc"]["value"] > 0.9
    assert run.events["good/challenger"]["name"] == "good"
    assert run.events["good/challenger"]["version"] == "1"
    assert {"gated", "registered"} <= set(ledger(mlops_store, "good"))


def test_a_held_challenger_leaves_the_run_green_and_announces_nothing(
    cancer, mlops_load_model_dags, mlops_run_dag, mlops_store, mlops_mlflow_server
):
    path = cancer("held", **{"metric: roc_auc, minimum: 0.9}": "metric: roc_auc, minimum: 0.9999}"})
    dag = mlops_load_model_dags(path)["held.train"]

    run = mlops_run_dag(dag, conf=YEAR)

    assert run.state == "success"
    assert run.tasks["gate"] == "success"
    assert run.tasks["register"] == run.tasks["announce_challenger"] == "skipped"
    assert any("0.9999" in reason for reason in run.results["gate"]["reasons"])
    assert run.events == {}
    assert "registered" not in ledger(mlops_store, "held")


def test_the_example_in_python_trains_both_of_its_models(
    monkeypatch, mlops_run_dag, mlops_store, mlops_mlflow_server
):
    namespace = runpy.run_path(str(ROOT / "dags" / "example_python_model.py"))

    for group in ("mean", "worst"):
        run = mlops_run_dag(namespace[f"example_{group}_cells.train"], conf=YEAR)
        assert run.state == "success"
        assert run.results["gate"]["outcome"] == "pass"
        assert "registered" in ledger(mlops_store, f"example_{group}_cells")
