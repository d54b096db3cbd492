"""All gates on one model, from the YAML to the verdict, and what evaluation keeps for those who ask later."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from airflow_mlops.config.load import load_model
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Evaluation
from airflow_mlops.steps.catalog import dump_request, run_step
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.requests import EvaluateRequest, GateRequest, SnapshotRequest, TrainRequest
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import KEPT_ROWS, train

RULES = """\
    - {type: threshold, metric: roc_auc, minimum: 0.6, decide_by: interval}
    - {type: champion, metric: roc_auc, improvement: 0.5}
    - {type: baseline, kind: constant, metric: log_loss, minimum: 0.02}
    - {type: baseline, kind: column, column: vendor, metric: roc_auc}
    - {type: baseline, kind: former, age: 5 days, metric: roc_auc, minimum: -0.01, name: a week ago}
    - {type: overfitting, metric: roc_auc, maximum: 0.1, decide_by: value}
    - {type: convergence}
    - {type: robustness, metric: roc_auc, maximum: 0.3, repeats: 1}
    - {type: skew}
    - {type: latency, maximum: 2000, percentile: 50, calls: 20, rows: 50}
    - {type: size, maximum: 5}
    - {type: memory, maximum: 500, rows: 100}
    - {type: custom, callable: "churn_gates:calm", params: {most: 1.0}}
"""

OWN = """
from airflow_mlops.gates import Verdict

def calm(evidence, most):
    top = float(evidence.answers.max())
    return Verdict("pass" if top <= most else "fail", (f"the surest answer is {top:.2f} of {most}",))
"""


@pytest.fixture
def with_gates(config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``with_gates(rules)``: the model of these tests with other gates, and a module with one of its own."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "churn_gates.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path / "own"))

    def load(rules: str) -> Any:
        head, _, rest = (tmp_path / "churn.yaml").read_text().partition("  rules:\n")
        path = tmp_path / "gated" / "churn.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(head + "  rules:\n" + rules + rest[rest.index("monitor:") :])
        return load_model(path).config

    yield load
    sys.modules.pop("churn_gates", None)


def with_vendor(root: Path) -> None:
    """Another system's answers beside the rows: a little better than guessing."""
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rng = np.random.default_rng(3)
    rows.assign(vendor=0.4 + 0.1 * rows["churned"] + 0.1 * rng.uniform(size=len(rows))).to_parquet(path)


def evaluated(config: Any, run: Any, backends: Any) -> GateRequest:
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    return GateRequest(config, run, taken, trained, evaluation)


@pytest.mark.slow
def test_every_type_of_gate_judges_one_model(
    with_gates: Any, backends: Any, make_run: Any, root: Path
) -> None:
    with_vendor(root)
    config = with_gates(RULES)
    request = evaluated(config, make_run(40), backends)
    by_rule = {finding.rule: finding for finding in request.evaluation.findings}
    assert list(by_rule) == [
        "baseline 1", "baseline 2", "a week ago", "overfitting", "convergence", "robustness", "skew",
        "latency", "size", "memory", "calm",
    ]  # fmt: skip
    assert {name: one.problem for name, one in by_rule.items() if one.problem} == {}
    said = run_step("gate", dump_request(request), backends)
    assert said is not None
    text = "\n".join(said["reasons"])
    assert said["outcome"] == "fail", text
    # The vendor knows better: its answers come from the label.
    assert said["reasons"][0].startswith("baseline 2: gain of roc_auc over column vendor -0.")
    for reason in (
        "no champion yet: roc_auc has nothing to be compared with",
        "baseline 1: gain of log_loss over the constant 0.",
        "a week ago: nobody was champion on 2024-02-04",
        "overfitting: gap of roc_auc",
        "convergence: LogisticRegression stopped after",
        "robustness: 11 of 11 measurements are as asked",
        "skew: largest difference between training and a fresh process 0 on 200 rows",
        "latency: percentile 50 of a call with 50 rows",
        "size: the model's file 0.",
        "memory: loading the model and predicting 100 rows",
        "calm: the surest answer is 0.96 of 1.0",
    ):
        assert reason in text
    page = backends.store.local_path(request.evaluation.report.uri).read_text()
    for words in ("Robustness", "drop of roc_auc with noise in age", "MB", "A week ago", "the surest answer"):
        assert words in page


def test_a_baseline_alone_lets_a_first_model_through(with_gates: Any, backends: Any, make_run: Any) -> None:
    config = with_gates("    - {type: baseline, kind: constant, metric: roc_auc, minimum: 0.1}\n")
    verdict = gate(evaluated(config, make_run(40), backends), backends)
    assert verdict.outcome == "pass", verdict.reasons


def test_a_gate_that_raises_holds_the_model_and_names_the_error(
    with_gates: Any, backends: Any, make_run: Any
) -> None:
    config = with_gates(
        "    - {type: threshold, metric: roc_auc, minimum: 0.6}\n"
        '    - {type: custom, callable: "churn_gates:calm", params: {least: 1.0}}\n'
    )
    verdict = gate(evaluated(config, make_run(40), backends), backends)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons[0].startswith(
        "calm: could not be measured: churn_gates:calm raised TypeError: calm()"
    )


def test_a_former_champion_is_asked_for_the_rows_of_today(
    with_gates: Any, config: Any, backends: Any, make_run: Any
) -> None:
    earlier = evaluated(config, make_run(20, run_id="early"), backends)
    version = backends.tracking.register("churn", earlier.training, {}).version
    backends.ledger.append(
        Entry(
            model="churn",
            kind="promoted",
            subject=version,
            at=make_run(20).sources.params.end,
            dag_id="churn.deploy",
            run_id="early",
            version=version,
        )
    )
    config = with_gates(
        "    - {type: threshold, metric: roc_auc, minimum: 0.6}\n"
        "    - {type: baseline, kind: former, age: 12 days, metric: roc_auc, minimum: -0.2}\n"
    )
    request = evaluated(config, make_run(40), backends)
    (found,) = request.evaluation.findings[0].measurements
    holdout = backends.datasets.load(request.snapshot.dataset, "holdout")
    features = holdout[list(config.data.features)]
    theirs, ours = (
        roc_auc_score(holdout["churned"], backends.tracking.load(run.training.model_uri).predict(features))
        for run in (earlier, request)
    )
    assert found.estimate.value == pytest.approx(ours - theirs)
    assert gate(request, backends).passed


def test_a_former_champion_that_knows_the_holdout_is_nobody_to_compare_with(
    with_gates: Any, backends: Any, make_run: Any
) -> None:
    config = with_gates(
        "    - {type: threshold, metric: roc_auc, minimum: 0.6}\n"
        "    - {type: baseline, kind: former, age: 1 day, metric: roc_auc}\n"
    )
    newer = evaluated(config, make_run(42, run_id="newer"), backends)
    version = backends.tracking.register("churn", newer.training, {}).version
    reign = Entry(
        model="churn",
        kind="promoted",
        subject=version,
        at=make_run(30).sources.params.end,
        dag_id="churn.deploy",
        run_id="newer",
        version=version,
    )
    backends.ledger.append(reign)
    verdict = gate(evaluated(config, make_run(40), backends), backends)
    assert verdict.outcome == "inconclusive"
    assert "churn version 1 knows this holdout: it was trained on rows until 2024-02-02" in verdict.reasons[0]


def test_training_keeps_what_it_answered_and_what_it_warned_of(
    with_gates: Any, config: Any, backends: Any, make_run: Any, recwarn: Any
) -> None:
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"params": {"max_iter": 2}})}
    )
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    kept = json.loads(backends.tracking.read_file(trained.run_id, "training_answers.json"))
    rows = pd.DataFrame(kept["rows"])
    assert len(kept["answers"]) == len(rows) == KEPT_ROWS
    assert list(rows) == ["age", "spend", "plan"]
    training = backends.datasets.load(taken.dataset, "train")
    assert rows["age"].tolist() == training["age"].iloc[::3].tolist()
    assert kept["answers"] == backends.tracking.load(trained.model_uri).predict(rows).tolist()
    (warned,) = json.loads(backends.tracking.read_file(trained.run_id, "training_warnings.json"))
    assert "lbfgs failed to converge" in warned
    # What training warns of is shown as ever.
    assert any("lbfgs failed to converge" in str(one.message) for one in recwarn.list)


def test_training_that_did_not_converge_fails_its_gate(
    with_gates: Any, backends: Any, make_run: Any, recwarn: Any
) -> None:
    config = with_gates("    - {type: threshold, metric: roc_auc, minimum: 0.6}\n    - {type: convergence}\n")
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"params": {"max_iter": 2}})}
    )
    verdict = gate(evaluated(config, make_run(40), backends), backends)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("convergence: training warned: lbfgs failed to converge")
    assert verdict.reasons[1].startswith("convergence: LogisticRegression stopped at its limit of 2")


def test_the_answers_of_both_models_are_kept_row_by_row(config: Any, backends: Any, make_run: Any) -> None:
    first = evaluated(config, make_run(30, run_id="first"), backends)
    kept = pd.read_parquet(
        io.BytesIO(backends.tracking.read_file(first.training.run_id, "predictions.parquet"))
    )
    assert list(kept) == ["id", "at", "churned", "challenger"]
    version = backends.tracking.register("churn", first.training, {}).version
    backends.tracking.set_alias("churn", "champion", version)
    request = evaluated(config, make_run(45, run_id="second"), backends)
    kept = pd.read_parquet(
        io.BytesIO(backends.tracking.read_file(request.training.run_id, "predictions.parquet"))
    )
    assert list(kept) == ["id", "at", "churned", "challenger", "champion"]
    holdout = backends.datasets.load(request.snapshot.dataset, "holdout")
    assert kept["id"].tolist() == holdout["id"].tolist()
    evaluation = request.evaluation
    for role, metrics in (("challenger", evaluation.challenger), ("champion", evaluation.champion_metrics)):
        assert roc_auc_score(kept["churned"], kept[role]) == pytest.approx(metrics["roc_auc"].value)
    assert isinstance(evaluation, Evaluation)
    assert kept["at"].min() == pd.Timestamp(holdout["at"].max().normalize() - timedelta(days=9))


def test_answers_for_several_classes_are_kept_in_a_column_each(
    config: Any, backends: Any, make_run: Any, root: Path
) -> None:
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    rows.assign(churned=[index % 3 for index in range(len(rows))]).to_parquet(path)
    config = config.model_copy(update={"task": "multiclass_classification"})
    metrics = [item for item in config.evaluation.metrics if item.called == "log_loss"]
    evaluation = config.evaluation.model_copy(update={"metrics": tuple(metrics)})
    config = config.model_copy(update={"evaluation": evaluation})
    backends.tracking.load = lambda uri, **_: Several()
    request = evaluated(config, make_run(40), backends)
    kept = pd.read_parquet(
        io.BytesIO(backends.tracking.read_file(request.training.run_id, "predictions.parquet"))
    )
    assert list(kept) == ["id", "at", "churned", "challenger_0", "challenger_1", "challenger_2"]
    assert kept[["challenger_0", "challenger_2"]].iloc[7].tolist() == [0.2, 0.5]


class Several:
    """Always of the same mind about three classes."""

    def predict(self, features: pd.DataFrame) -> Any:
        return np.tile([0.2, 0.3, 0.5], (len(features), 1))
