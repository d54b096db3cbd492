"""The tutorial's model learns what its text says."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.config.load import load_model
from airflow_mlops.core.values import RunInfo, RunKey
from airflow_mlops.core.windows import Period, Window, WindowSources
from airflow_mlops.steps.requests import Snapshot, SnapshotRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import fit, predictions_of

NOW = datetime(2026, 7, 5, tzinfo=timezone.utc)
WEEK = Window(Period.parse("7 days").before(NOW), NOW)


@pytest.fixture
def code(tutorial: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tutorial's folder, its plugins importable as they are in Airflow."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "churn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tutorial / "plugins"))
    return tutorial


@pytest.fixture
def backends(tmp_path: Path) -> Backends:
    return connect(Endpoints(store=str(tmp_path / "store")))


@pytest.fixture
def taken(code: Path, backends: Backends) -> Snapshot:
    config = load_model(code / "dags" / "churn.yaml").config
    run = RunInfo(RunKey("churn.train", "r", -1), "scheduled", WindowSources(data_interval=WEEK), NOW)
    made = snapshot(SnapshotRequest(config, run), backends)
    assert made is not None
    return made


@pytest.mark.parametrize("way", ["the estimator", "the function"])
def test_the_model_learns_either_way_and_tells_who_leaves(
    way, code, backends, taken, yaml_by_function
) -> None:
    config = load_model(code / "dags" / "churn.yaml" if way == "the estimator" else yaml_by_function).config
    rows = backends.datasets.load(taken.dataset, "train")
    held_out = backends.datasets.load(taken.dataset, "holdout")
    names = list(config.data.features)
    estimator = fit(config, rows[names], rows[config.data.label], backends)
    answers = predictions_of(estimator, held_out[names], config.task)
    score = backends.metrics(config.task).score(["roc_auc"], held_out[config.data.label], answers, 0.95)
    assert score["roc_auc"].low > 0.7


def test_the_window_and_the_holdout_are_as_the_text_says(taken) -> None:
    dataset = taken.dataset
    assert dataset.window.start == datetime(2026, 1, 5, tzinfo=timezone.utc)
    assert dataset.holdout_start == Period.parse("28 days").before(NOW)
    assert dataset.holdout_rows == 28 * 40


@pytest.fixture
def yaml_by_function(code: Path, repository: Path) -> Path:
    """The model with the tutorial's own function in the place of the estimator."""
    text = (repository / "docs" / "tutorial.md").read_text()
    part = yaml.safe_load(text.split("```yaml fragment\n")[1].partition("```")[0])
    model = (code / "dags" / "churn.yaml").read_text()
    before, _, rest = model.partition("training:\n")
    after = rest.partition("evaluation:\n")[2]
    path = code / "by_function.yaml"
    path.write_text(f"{before}{yaml.safe_dump({'training': part['training']})}evaluation:\n{after}")
    return path


@pytest.mark.airflow
@pytest.mark.slow
def test_the_first_run_registers_version_1(
    code, mlops_load_model_dags, mlops_run_dag, mlops_store, mlops_mlflow_server
) -> None:
    dags = mlops_load_model_dags(code / "dags")
    run = mlops_run_dag(dags["churn.train"], logical_date=NOW)
    assert run.state == "success", run.tasks
    assert run.results["gate"]["outcome"] == "pass"
    assert run.events["churn/challenger"]["version"] == "1"
