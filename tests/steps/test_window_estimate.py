"""The estimate until labels land, of several classes and of numbers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.steps.champion_scores import SAMPLE_FILE
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.performance import performance
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    CollectedRequest,
    CollectRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
FEATURES = ["age", "spend", "plan"]
YAML = """\
apiVersion: airflow-mlops/v1
model: churn
owner: tests
schedule: {{start: 2024-01-01}}
task: {task}
data:
  source: {{type: parquet, path: "rows/*.parquet"}}
  time_column: at
  key: id
  label: outcome
  features: {{age: numeric, spend: numeric, plan: categorical}}
  window: {{start: 2024-01-01}}
  holdout: {{length: 20 days}}
training: {{estimator: {estimator}}}
evaluation: {{metrics: [{metrics}]}}
gates:
  minimum_rows: 50
  rules: [{{type: threshold, metric: {first}, {bound}}}]
monitor:
  cron: "@weekly"
  window: 10 days
  labels: {{source: {{type: parquet, path: "labels/*.parquet"}}}}
  performance: {{metric: {metric}, minimum_labels: 50, tolerance: 0.1}}
"""
CLASSES = {
    "task": "multiclass_classification",
    "estimator": "sklearn.linear_model.LogisticRegression",
    "metrics": "accuracy, log_loss, roc_auc_ovr",
    "first": "accuracy",
    "bound": "minimum: 0.3",
}
NUMBERS = {
    "task": "regression",
    "estimator": "sklearn.linear_model.LinearRegression",
    "metrics": "mean_absolute_error, r2",
    "first": "mean_absolute_error",
    "bound": "maximum: 9",
}


def outcome(rows: pd.DataFrame, task: str):
    random = np.random.default_rng(1)
    score = 1.5 * rows["age"] + np.exp(0.4 * rows["age"]) * random.normal(size=len(rows))
    return score if task == "regression" else np.digitize(score, [-1, 1])


@pytest.fixture
def watched(tmp_path, root, backends, make_run):
    """``watched(CLASSES, metric=...)``: a champion, ten days of its answers, and what ``land=True`` tells."""

    def make(model, metric, *, land=False, lose=(), shown=lambda labels: labels):
        path = tmp_path / "churn.yaml"
        path.write_text(YAML.format(**model, metric=metric))
        config = load_model(path).config
        rows = pd.read_parquet(root / "rows" / "all.parquet").drop(columns="churned")
        rows["outcome"] = outcome(rows, config.task)
        rows.to_parquet(root / "rows" / "all.parquet")
        run = make_run(40)
        taken = snapshot(SnapshotRequest(config, run), backends)
        trained = train(TrainRequest(config, run, taken), backends)
        found = evaluate(EvaluateRequest(config, run, taken, trained), backends)
        verdict = gate(GateRequest(config, run, taken, trained, found), backends)
        version = register(RegisterRequest(config, run, taken, trained, found, verdict), backends).version
        backends.tracking.set_alias("churn", "champion", version)
        files = backends.tracking.runs[next(iter(backends.tracking.runs))]["files"]
        for name in lose:
            del files[name]
        served = rows[(rows["at"] >= START + timedelta(days=40)) & (rows["at"] < START + timedelta(days=50))]
        answers = backends.tracking.load(f"models:/churn/{version}").predict(served[FEATURES])
        given = answers.argmax(axis=1) if answers.ndim == 2 else answers
        log = served[FEATURES].assign(
            request_id=served["id"], key=served["id"], event_time=served["at"], received_at=served["at"],
            version=version, role="champion", mode="none", weight=0.0, rollout_id=None, error=None,
            latency_seconds=0.001, prediction=given.astype("float64"),
        )  # fmt: skip
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / "40.parquet")
        if land:
            told = served[["id", "at", "outcome"]].assign(outcome=shown(served["outcome"]))
            told.to_parquet(root / "labels" / "landed.parquet")
        asked = CollectRequest(config, make_run(50, dag="monitor"))
        return performance(CollectedRequest(config, asked.run, collect(asked, backends)), backends)

    return make


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc_ovr"])
def test_several_classes_are_estimated_and_measured_when_labels_land(watched, metric) -> None:
    summary = watched(CLASSES, metric, land=True).summary
    estimated = summary["estimated"]
    assert estimated["method"] == "CBPE"
    assert estimated["low"] < summary["observed"] < estimated["high"]
    assert summary["outcome"] == "pass"
    assert summary["score"]["losses"]


def test_class_numbers_may_come_as_floats(watched) -> None:
    summary = watched(CLASSES, "accuracy", land=True, shown=lambda labels: labels.astype("float64")).summary
    assert summary["estimated"]["low"] < summary["observed"] < summary["estimated"]["high"]


def test_a_class_that_is_new_counts_as_answered_wrongly(watched) -> None:
    before = watched(CLASSES, "accuracy", land=True, shown=lambda labels: labels.replace({1: 7})).summary
    assert before["observed"] < 0.6
    assert before["outcome"] == "fail"


def test_numbers_are_estimated_by_a_model_of_the_loss_which_decides_nothing(watched, backends) -> None:
    report = watched(NUMBERS, "mean_absolute_error")
    estimated = report.summary["estimated"]
    assert estimated["method"] == "DLE"
    assert estimated["low"] < report.summary["promise"] < estimated["high"]
    assert report.summary["outcome"] == "inconclusive"
    page = backends.store.local_path(report.uri).read_text()
    assert "Estimated without labels (DLE): mean_absolute_error" in page


def test_the_sample_that_an_earlier_release_kept_is_made_anew_with_labels(watched) -> None:
    assert watched(NUMBERS, "mean_absolute_error", lose=[SAMPLE_FILE]).summary["estimated"] is not None


@pytest.mark.parametrize(
    ("model", "metric", "lose", "why"),
    [
        (CLASSES, "accuracy", ["predictions.parquet"], "no holdout to calibrate by is kept"),
        (NUMBERS, "r2", [], "r2 is no mean over rows"),
        (
            NUMBERS,
            "mean_absolute_error",
            ["predictions.parquet", SAMPLE_FILE],
            "keeps no rows of its holdout",
        ),
    ],
)
def test_where_there_is_no_estimate_one_line_says_why(watched, model, metric, lose, why) -> None:
    summary = watched(model, metric, lose=lose).summary
    assert summary["estimated"] is None
    (note,) = (one for one in summary["notes"] if why in one)
    assert note.startswith("no estimate without labels: ")
    assert "\n" not in note
