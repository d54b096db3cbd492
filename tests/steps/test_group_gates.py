"""Gates on groups in the training pipeline: verdict, report, and what a model must not see."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.requests import EvaluateRequest, GateRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train


@pytest.fixture
def run_with(tmp_path, root, backends, make_run):
    """``run_with(rule)``: verdict, evaluation and report of a run whose gates have one more rule. The column
    ``region`` is no feature; ``north`` has the older customers, whom the model takes for churners."""
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows["region"] = np.where(rows["age"] > 0.3, "north", "south")
    rows.to_parquet(path)

    def run(rule: str):
        text = (
            (tmp_path / "churn.yaml")
            .read_text()
            .replace("  window: {", "  sensitive: [region]\n  window: {", 1)
        )
        written = tmp_path / "groups.yaml"
        written.write_text(text.replace("monitor:\n", f"    - {{{rule}}}\nmonitor:\n", 1))
        config, info = load_model(written).config, make_run(40)
        taken = snapshot(SnapshotRequest(config, info), backends)
        trained = train(TrainRequest(config, info, taken), backends)
        evaluation = evaluate(EvaluateRequest(config, info, taken, trained), backends)
        verdict = gate(GateRequest(config, info, taken, trained, evaluation), backends)
        report = Path(evaluation.report.uri.removeprefix("file://")).read_text()
        return verdict, evaluation, report

    return run


@pytest.fixture(autouse=True)
def _base_file(config):
    """Writes the file that the rules are added to."""


def test_a_model_that_favours_a_group_is_held_and_the_report_draws_its_rates(run_with, backends) -> None:
    verdict, evaluation, report = run_with(
        "type: fairness, measure: demographic_parity_difference, sensitive: region, maximum: 0.2"
    )
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("fairness: demographic parity difference by region 0.")
    said = (
        r"on 200 rows, not at most 0\.2 \(selection rate [01.]+\d* for region=\w+, [01.]+\d* for region=\w+\)"
    )
    assert re.search(f"{said}$", verdict.reasons[0])
    assert "<h3>Selection rate by region</h3><svg" in report
    assert "region=north" in report
    assert "Agresti and others 2008" in report
    # Figures are for the report and the run's own file: they do not travel by XCom.
    assert evaluation.findings[0].figures == ()
    [kept] = [run["files"]["evaluation.json"] for run in backends.tracking.runs.values()]
    assert b"region=north" in kept


def test_the_model_never_sees_a_sensitive_column(run_with, backends) -> None:
    run_with("type: fairness, measure: demographic_parity_difference, sensitive: region, maximum: 1")
    [run] = backends.tracking.runs.values()
    assert "region" not in run["estimator"].feature_names_in_


def test_what_cannot_be_compared_is_inconclusive(run_with) -> None:
    verdict, _, report = run_with(
        "type: fairness, measure: demographic_parity_difference, sensitive: region, maximum: 0.2, "
        "minimum_rows: 199"
    )
    assert verdict.outcome == "inconclusive"
    assert "could not be measured: region has 0 group that is large enough" in verdict.reasons[0]
    assert "could not be measured" in report


def test_slices_are_judged_and_drawn_and_only_the_worst_travel(run_with, backends) -> None:
    verdict, evaluation, report = run_with(
        "type: slices, metric: roc_auc, by: [region, plan, age], automatic: true, minimum_rows: 20, bins: 8, "
        "minimum_of_each_class: 5, minimum: 0.3"
    )
    assert verdict.outcome == "pass", verdict.reasons
    [finding] = evaluation.findings
    assert len(finding.measurements) == 20
    assert finding.unlisted > 5
    assert any(
        f"20 of 20 measurements are as asked; {finding.unlisted} more, none of them worse" in reason
        for reason in verdict.reasons
    )
    assert "<h3>The worst slices</h3><svg" in report
    assert report.count("roc_auc in ") == 20 + finding.unlisted
    assert "On the whole holdout: " in report


def test_a_bad_slice_fails_the_gate_with_its_numbers(run_with) -> None:
    verdict, _, _ = run_with("type: slices, metric: log_loss, by: plan, minimum_rows: 20, maximum: 0.1")
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("slices: log_loss in plan=")
    assert ", not at most 0.1 (corrected p " in verdict.reasons[0]


def test_a_first_model_has_no_champion_to_lose_to_in_any_slice(run_with) -> None:
    verdict, _, _ = run_with("type: slices, metric: log_loss, by: plan, minimum_rows: 20, margin: 0.01")
    assert verdict.outcome == "pass"
    assert "no champion yet: slices has nothing to be compared with" in verdict.reasons


def test_calibration_is_judged_and_drawn(run_with) -> None:
    verdict, evaluation, report = run_with(
        "type: calibration, measure: slope, minimum: 0.2, maximum: 5, decide_by: proven_harm"
    )
    assert verdict.outcome == "pass", verdict.reasons
    assert evaluation.findings[0].measurements[0].name == "slope"
    assert "<h3>Observed over predicted</h3><svg" in report
