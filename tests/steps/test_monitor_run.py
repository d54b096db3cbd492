"""The monitor, step by step: what was asked and answered, against the reference and the labels."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.core.ledger import pending_requests
from airflow_mlops.core.model_metrics import ledger_samples
from airflow_mlops.core.news import news
from airflow_mlops.steps.catalog import dump_request, run_step
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.data_quality import data_quality
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.performance import performance
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    CollectedRequest,
    CollectRequest,
    DecideRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def serving_model(config, backends, make_run):
    """A champion trained as of day 40."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    model = register(RegisterRequest(config, run, taken, trained, evaluation, verdict), backends)
    backends.tracking.set_alias("churn", "champion", model.version)
    return backends.tracking.load(f"models:/churn/{model.version}")


@pytest.fixture
def served(serving_model, root):
    """``served(change, labels=True)``: days 40 to 50 were asked of the endpoint, and labels landed."""

    def make(change=lambda rows: rows, *, labels=True, flip=False):
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        rows = rows[(rows["at"] >= START + timedelta(days=40)) & (rows["at"] < START + timedelta(days=50))]
        asked = change(rows.copy())
        log = asked.drop(columns=["churned", "at", "id"]).assign(
            request_id="q",
            key=rows["id"],
            event_time=rows["at"],
            received_at=rows["at"],
            version="1",
            role="champion",
            mode="none",
            weight=0.0,
            rollout_id=None,
            error=None,
            latency_seconds=0.001,
            prediction=serving_model.predict(asked.fillna(0.0)[["age", "spend", "plan"]]),
        )
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True, exist_ok=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / "part.parquet")
        if labels:
            landed = rows[["id", "at", "churned"]]
            if flip:
                landed = landed.assign(churned=1 - landed["churned"])
            landed.to_parquet(root / "labels" / "landed.parquet")

    return make


def look(config, run, backends):
    collected = collect(CollectRequest(config, run), backends)
    assert collected is not None
    asked = CollectedRequest(config, run, collected)
    return DecideRequest(
        config,
        run,
        collected,
        data_quality(asked, backends),
        drift(asked, backends),
        performance(asked, backends),
    )


def test_a_quiet_window_keeps_the_champion(config, backends, make_run, served):
    served()
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.performance.summary["outcome"] == "pass", request.performance.summary
    assert request.performance.summary["labels"] == 200
    assert request.performance.summary["coverage"] == 1.0
    assert decide(request, backends).decision.action == "keep"
    assert pending_requests(backends.ledger.entries("churn")) == []


def test_decay_asks_for_retraining_once_and_carries_its_cause(config, backends, make_run, served):
    served(flip=True)
    request = look(config, make_run(50, dag="monitor"), backends)
    decided = decide(request, backends)
    assert (decided.decision.action, decided.decision.cause) == ("retrain", "decay")
    assert decide(request, backends) == decided
    (pending,) = pending_requests(backends.ledger.entries("churn"))
    assert pending.subject == decided.request_id
    assert pending.window.end == START + timedelta(days=50)
    assert any("roc_auc" in reason for reason in pending.reasons)
    entries = backends.ledger.entries("churn")
    assert {"decay", "retrain_requested"} <= {item.event for item in news(entries)}
    numbers = {(sample.name, *sample.labels): sample.value for sample in ledger_samples(entries)}
    assert (numbers["decayed",], numbers["label_coverage_ratio",]) == (True, 1.0)
    assert numbers["observed_metric", "roc_auc"] < numbers["promised_metric", "roc_auc"]
    assert numbers["retrains_requested_total", "decay"] == 1


def test_a_request_that_no_run_has_taken_is_handed_on_again_until_one_does(
    config, backends, make_run, served
):
    served(flip=True)
    first = decide(look(config, make_run(50, dag="monitor"), backends), backends)
    later = look(config, make_run(51, dag="monitor", run_id="r2"), backends)
    refused = decide(later, backends)
    assert refused.decision.action == "refuse"
    assert refused.waiting is not None
    assert refused.waiting.decision == first.decision
    for name in ("window", "request_id", "evidence", "summary"):
        assert getattr(refused.waiting, name) == getattr(first, name)
    claim = replace(
        pending_requests(backends.ledger.entries("churn"))[0], kind="retrain_taken", run_id="taken"
    )
    backends.ledger.append(claim)
    last = look(config, make_run(52, dag="monitor", run_id="r3"), backends)
    assert decide(last, backends).waiting is None


def test_drift_names_the_columns_that_moved_and_keeps_the_page(config, backends, make_run, served):
    served(lambda rows: rows.assign(age=rows["age"] + 3, spend=rows["spend"] * 10 + 5))
    request = look(config, make_run(50, dag="monitor"), backends)
    report = request.drift
    assert report.summary["drifted"] is True
    assert list(report.summary["columns"])[-1] == "plan"
    assert b"<html" in backends.store.local_path(report.uri).read_bytes()[:2000].lower()
    decide(request, backends)
    (seen,) = [item for item in backends.ledger.entries("churn") if item.kind == "monitored"]
    assert {"age", "spend"} <= set(seen.data["drifted_columns"])
    (told,) = [item for item in news([seen]) if item.event in ("drift", "upstream_fault")]
    assert (told.event, told.about) == ("upstream_fault", {"spend"})  # ten times as much is another unit
    assert report.uri in told.entry.evidence


def test_a_broken_feed_blocks_retraining_and_is_named(config, backends, make_run, served):
    served(lambda rows: rows.assign(age=np.nan))
    request = look(config, make_run(50, dag="monitor"), backends)
    decided = decide(request, backends)
    assert decided.decision.action == "refuse"
    assert any("age" in reason for reason in decided.decision.reasons)
    told = {item.event: item for item in news(backends.ledger.entries("churn"))}
    assert any("age" in reason for reason in told["upstream_fault"].reasons)
    assert not {"drift", "decay"} & set(told)
    assert pending_requests(backends.ledger.entries("churn")) == []


def test_without_labels_the_answers_are_not_judged(config, backends, make_run, served):
    served(labels=False)
    report = look(config, make_run(50, dag="monitor"), backends).performance
    assert report.summary["outcome"] == "inconclusive"
    assert "0 labels have landed" in report.summary["reasons"][0]


def test_no_champion_or_no_requests_is_nothing_to_do(config, backends, make_run):
    assert collect(CollectRequest(config, make_run(50, dag="monitor")), backends) is None


def test_shadow_answers_are_left_out(config, backends, make_run, served, root):
    served()
    path = root / "inference" / "churn" / "date=2025-01-01" / "part.parquet"
    rows = pd.read_parquet(path)
    rows.assign(role="shadow", prediction=0.5).to_parquet(path.with_name("shadow.parquet"))
    collected = collect(CollectRequest(config, make_run(50, dag="monitor")), backends)
    assert collected.rows == 200


def test_a_step_runs_on_plain_json_and_answers_plain_json(config, backends, make_run, served):
    served()
    request = dump_request(CollectRequest(config, make_run(50, dag="monitor")))
    result = run_step("collect", request, backends)
    assert result["champion"] == {"name": "churn", "version": "1", "url": None}
    nothing = replace(make_run(12, dag="monitor"))
    assert run_step("collect", dump_request(CollectRequest(config, nothing)), backends) is None


def test_answers_of_another_version_are_not_held_against_the_champion(
    config, backends, make_run, served, root
):
    served()
    path = root / "inference" / "churn" / "date=2025-01-01" / "part.parquet"
    rows = pd.read_parquet(path)
    others = rows.index % 2 == 0
    rows.loc[others, "version"] = "0"
    rows.loc[others, "prediction"] = 1 - rows.loc[others, "prediction"]
    rows.to_parquet(path)
    report = look(config, make_run(50, dag="monitor"), backends).performance
    assert report.summary["labels"] == 100
    assert report.summary["observed"] > 0.7, report.summary
    rows.assign(version="0").to_parquet(path)
    report = look(config, make_run(50, dag="monitor"), backends).performance
    assert (report.summary["outcome"], report.summary["coverage"]) == ("inconclusive", 0.0)


def test_labels_find_their_answers_though_a_hole_made_their_keys_floats(
    config, backends, make_run, served, root
):
    served()
    log = root / "inference" / "churn" / "date=2025-01-01" / "part.parquet"
    rows = pd.read_parquet(log)
    rows.assign(key=[str(number) for number in range(len(rows))]).to_parquet(log)
    landed = root / "labels" / "landed.parquet"
    keys = pd.array([*range(199), None], dtype="Int64")
    pd.read_parquet(landed).assign(id=keys).to_parquet(landed)
    report = look(config, make_run(50, dag="monitor"), backends).performance
    assert report.summary["labels"] == 199


def test_a_label_may_be_called_like_a_column_of_the_log(config, backends, make_run, served, root):
    served()
    landed = root / "labels" / "landed.parquet"
    pd.read_parquet(landed).rename(columns={"churned": "weight"}).to_parquet(landed)
    config = config.model_copy(update={"data": config.data.model_copy(update={"label": "weight"})})
    report = look(config, make_run(50, dag="monitor"), backends).performance
    assert (report.summary["outcome"], report.summary["labels"]) == ("pass", 200)


def test_a_window_of_few_rows_has_not_drifted(config, backends, make_run, served, root):
    served()
    log = root / "inference" / "churn" / "date=2025-01-01" / "part.parquet"
    pd.read_parquet(log).head(5).to_parquet(log)
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.drift.summary["drifted"] is False
    assert "5 rows in" in request.drift.summary["reasons"][0]
    assert decide(request, backends).decision.action == "keep"


def test_a_feature_that_the_champion_does_not_know_yet_stops_no_monitoring(
    config, backends, make_run, served
):
    served()
    fresh = ExpectationConfig(type="expect_column_values_to_not_be_null", kwargs={"column": "region"})
    config = config.model_copy(
        update={
            "data": config.data.model_copy(
                update={"features": {**config.data.features, "region": "categorical"}}
            ),
            "validation": config.validation.model_copy(
                update={"expectations": (*config.validation.expectations, fresh)}
            ),
        }
    )
    request = look(config, make_run(50, dag="monitor"), backends)
    assert request.quality.summary["upstream_fault"] is None
    assert set(request.drift.summary["columns"]) == {"age", "spend", "plan"}
