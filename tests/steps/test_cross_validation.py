"""Cross-validation beside the evaluation: what is kept, and what a reader of the report sees."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from pydantic import TypeAdapter

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.gates import Gates
from airflow_mlops.config.parts.splits import FoldsConfig
from airflow_mlops.config.problems import InvalidConfig
from airflow_mlops.core.folds import CrossValidation
from airflow_mlops.core.gates import judge
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.cross_validate import CROSS_VALIDATION_FILE
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import rules_of
from airflow_mlops.steps.requests import EvaluateRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

FIRST = {"type": "threshold", "metric": "roc_auc", "minimum": 0.5}


def evaluated(config, run, backends, folds):
    asked = TypeAdapter(FoldsConfig).validate_python(folds)
    evaluation = config.evaluation.model_copy(update={"cross_validation": asked})
    config = config.model_copy(update={"evaluation": evaluation})
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    found = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    kept = backends.tracking.runs[trained.run_id]
    return found, kept


def read(kept) -> CrossValidation:
    return TypeAdapter(CrossValidation).validate_json(kept["files"][CROSS_VALIDATION_FILE])


@pytest.mark.parametrize(
    ("folds", "count"),
    [
        ({"type": "time", "length": "5 days"}, 1),
        ({"type": "rolling_origin", "folds": 3, "length": "5 days", "gap": "1 day"}, 3),
        ({"type": "k_fold", "folds": 4}, 4),
    ],
    ids=["time", "rolling origin", "k-fold"],
)
def test_every_fold_is_kept_with_the_mean_and_shown_in_the_report(config, backends, make_run, folds, count):
    evaluation, kept = evaluated(config, make_run(40), backends, folds)
    found = read(kept)
    assert (found.kind, len(found.folds)) == (folds["type"], count)
    assert set(found.means) == {"roc_auc", "log_loss"}
    assert 0.6 < found.means["roc_auc"].value < 0.95
    assert all(fold.training_rows + fold.test_rows <= 600 for fold in found.folds), "the holdout is touched"
    assert kept["metrics"]["cv_roc_auc"] == found.means["roc_auc"].value
    page = backends.store.local_path(evaluation.report.uri).read_text()
    assert f"Cross-validation ({folds['type']})" in page
    assert all(fold.name in page and str(fold.metrics["roc_auc"]) in page for fold in found.folds)


def test_nothing_is_refitted_where_nobody_asks(config, backends, make_run):
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    assert CROSS_VALIDATION_FILE not in backends.tracking.runs[trained.run_id]["files"]
    assert "Cross-validation" not in backends.store.local_path(evaluation.report.uri).read_text()


def test_a_fold_that_cannot_be_scored_says_why_and_the_others_count(config, backends, make_run, root):
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    late = (rows["at"] >= rows["at"].min() + pd.Timedelta(days=25)) & (
        rows["at"] < rows["at"].min() + pd.Timedelta(days=30)
    )
    rows.assign(churned=rows["churned"].where(~late, 0)).to_parquet(path)
    folds = {"type": "rolling_origin", "folds": 3, "length": "5 days"}
    evaluation, kept = evaluated(config, make_run(40), backends, folds)
    found = read(kept)
    assert [fold.problem is None for fold in found.folds] == [True, True, False]
    assert "all 100 labels are equal" in found.folds[2].problem
    assert found.means["roc_auc"].value == pytest.approx(
        sum(fold.metrics["roc_auc"].value for fold in found.folds[:2]) / 2
    )
    assert "2 of 3 folds" in backends.store.local_path(evaluation.report.uri).read_text()
    assert json.loads(kept["files"][CROSS_VALIDATION_FILE])["folds"][2]["metrics"] == {}


def test_folds_that_the_rows_cannot_give_are_refused(config, backends, make_run):
    with pytest.raises(DataRefused, match="5 folds of 10 days leave nothing"):
        evaluated(config, make_run(40), backends, {"type": "rolling_origin", "length": "10 days"})


@pytest.mark.parametrize(
    ("rule", "outcome", "reason"),
    [
        ({"metric": "roc_auc", "minimum": 0.6}, "pass", "mean of roc_auc"),
        ({"metric": "roc_auc", "minimum": 0.99}, "fail", "mean of roc_auc"),
        ({"metric": "roc_auc", "minimum": 0.6, "of": "each"}, "pass", "roc_auc in fold 4 of 4"),
    ],
)
def test_a_gate_judges_by_the_folds(config, backends, make_run, rule, outcome, reason):
    rules = [FIRST, {"type": "cross_validation", **rule}]
    gates = Gates.model_validate({"rules": rules, "minimum_rows": 50})
    config = config.model_copy(update={"gates": gates})
    evaluation, _ = evaluated(config, make_run(40), backends, {"type": "k_fold", "folds": 4})
    verdict = judge(
        rules_of(gates, config.evaluation), evaluation, minimum_rows=50, bootstrap="thresholds_only"
    )
    assert verdict.outcome == outcome, verdict
    names = [item.name for item in evaluation.findings[0].measurements]
    assert reason in names
    assert len(names) == (5 if rule.get("of") == "each" else 1)


def test_a_gate_by_each_fold_is_inconclusive_where_one_could_not_be_scored(config, backends, make_run, root):
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    first = rows["at"] < rows["at"].min() + pd.Timedelta(days=20)
    rows.assign(churned=rows["churned"].where(~first | (rows.index < 20), 0)).to_parquet(path)
    rule = {"type": "cross_validation", "metric": "roc_auc", "minimum": 0.6, "of": "each"}
    gates = Gates.model_validate({"rules": [FIRST, rule]})
    config = config.model_copy(update={"gates": gates})
    folds = {"type": "rolling_origin", "folds": 3, "length": "8 days"}
    evaluation, _ = evaluated(config, make_run(40), backends, folds)
    assert "could not be scored: all 160 labels are equal" in evaluation.findings[0].problem
    verdict = judge(
        rules_of(gates, config.evaluation), evaluation, minimum_rows=50, bootstrap="thresholds_only"
    )
    assert verdict.outcome == "inconclusive"


def test_a_gate_by_folds_needs_folds(tmp_path, config):
    path = tmp_path / "churn.yaml"
    rule = "    - {type: cross_validation, metric: roc_auc, minimum: 0.6}\n"
    path.write_text(path.read_text().replace("  rules:\n", f"  rules:\n{rule}"))
    with pytest.raises(InvalidConfig, match=r"gates.rules\[0\]: there are no folds to judge"):
        load_model(path)


def test_the_folds_are_trained_with_the_parameters_that_a_search_chose(config, backends, make_run):
    asked = TypeAdapter(FoldsConfig).validate_python({"type": "k_fold", "folds": 3})
    evaluation = config.evaluation.model_copy(update={"cross_validation": asked})
    config, run = config.model_copy(update={"evaluation": evaluation}), make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    chosen = {"mlops.tuned_params": json.dumps({"C": -1.0})}
    backends.tracking.runs[trained.run_id]["tags"].update(chosen)
    evaluate(EvaluateRequest(config, run, taken, trained), backends)
    problems = [fold.problem for fold in read(backends.tracking.runs[trained.run_id]).folds]
    assert all("'C' parameter" in str(problem) for problem in problems), problems
