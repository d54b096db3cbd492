"""The drift report beyond single columns, on a champion, its log and its labels."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from math import fsum

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.core.shift.attribution import SERVED_OTHERWISE
from airflow_mlops.steps.champion_scores import SAMPLE_FILE, SCORES_FILE
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.requests import (
    CollectedRequest,
    CollectRequest,
    EvaluateRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def champion(config, backends, make_run):
    """A champion trained as of day 40; its run's id."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluate(EvaluateRequest(config, run, taken, trained), backends)
    version = backends.tracking.register("churn", trained, {}).version
    backends.tracking.set_alias("churn", "champion", version)
    return trained.run_id


@pytest.fixture
def serve(champion, backends, root):
    """``serve(change)``: days 40 to 50 were asked of the champion, and labels landed for most."""

    def make(change=lambda rows: rows, scores=lambda scores: scores, labels=150):
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        rows = rows[(rows["at"] >= START + timedelta(days=40)) & (rows["at"] < START + timedelta(days=50))]
        asked = change(rows.copy())
        model = backends.tracking.load("models:/churn/1")
        log = asked.drop(columns=["churned", "at", "id"]).assign(
            request_id="q", key=rows["id"], event_time=rows["at"], received_at=rows["at"], version="1",
            role="champion", mode="none", weight=0.0, rollout_id=None, error=None, latency_seconds=0.001,
            prediction=scores(model.predict(asked[["age", "spend", "plan"]])),
        )  # fmt: skip
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / "part.parquet")
        asked[["id", "at", "churned"]].head(labels).to_parquet(root / "labels" / "landed.parquet")

    return make


@pytest.fixture
def report(config, backends, make_run):
    """``report(**drift)``: the summary and the page, with more keys of ``monitor.drift``."""

    def make(**keys):
        drift_ = type(config.monitor.drift).model_validate({"minimum_rows": 50, **keys})
        monitor = config.monitor.model_copy(update={"drift": drift_})
        changed = config.model_copy(update={"monitor": monitor})
        run = make_run(50, dag="monitor")
        collected = collect(CollectRequest(changed, run), backends)
        found = drift(CollectedRequest(changed, run, collected), backends)
        return found.summary, backends.store.local_path(found.uri).read_text()

    return make


def test_a_quiet_window_is_quiet_in_everything(serve, report) -> None:
    serve()
    summary, page = report(multivariate={"method": "mmd"})
    assert not summary["drifted"]
    assert not summary["prediction_drift"]["drifted"]
    assert not summary["target_drift"]["drifted"]
    assert [one["drifted"] for one in summary["multivariate"]] == [False]
    assert "quiet" in page
    assert summary["unsaid"] == []


def test_the_parts_of_all_features_and_the_rest_are_the_change_of_the_served_mean(
    serve, report, backends, champion
) -> None:
    serve(lambda rows: rows.assign(age=rows["age"] + 1))
    summary, page = report()
    told = summary["explained"]
    parts = fsum([*told["features"].values(), *told["rest"].values()])
    before, now = told["mean"]
    assert parts == pytest.approx(now - before, abs=1e-12)
    assert parts == pytest.approx(told["change"][1], abs=1e-12)
    log = pd.read_parquet(backends.store.local_path("inference/churn/date=2025-01-01/part.parquet"))
    assert now == pytest.approx(log["prediction"].mean())
    assert told["shares"]["age"] == pytest.approx(1.0, abs=0.1)
    assert next(iter(told["features"])) == "age"
    assert summary["prediction_drift"]["drifted"]
    assert "Why the scores moved" in page
    for table in summary["explained_slices"]:
        assert table["mix"] + table["within"] == pytest.approx(now - before, abs=1e-9)


def test_the_slices_that_the_yaml_names_are_split_as_well(serve, report) -> None:
    serve(lambda rows: rows.assign(age=rows["age"] + 1))
    summary, _ = report(slices={"by": [["plan", "age"]]})
    assert "plan and age" in [one["column"] for one in summary["explained_slices"]]


def test_scores_that_the_champion_would_not_give_are_told_apart_from_features(serve, report) -> None:
    serve(scores=lambda scores: scores / 2)
    told = report()[0]["explained"]
    assert told["rest"][SERVED_OTHERWISE] == pytest.approx(told["change"][1], abs=0.05)


def test_predictions_and_labels_make_the_data_drifted_only_where_the_yaml_says_so(serve, report) -> None:
    serve(scores=lambda scores: scores / 4)
    assert not report()[0]["drifted"]
    summary, _ = report(predictions={"counts": True})
    assert summary["drifted"]
    assert any(reason.startswith("predictions drifted: psi") for reason in summary["reasons"])


def test_labels_that_have_landed_are_held_against_the_holdouts(serve, report) -> None:
    serve(lambda rows: rows.assign(churned=1))
    summary, page = report(target={"counts": True})
    target = summary["target_drift"]
    assert (target["labels"], target["coverage"], target["drifted"]) == (150, 0.75, True)
    assert target["mean"][1] == 1.0
    assert summary["drifted"]
    assert "150 labels have landed for 200 answers of the champion (75%)" in page


def test_columns_that_move_only_together_are_drift_where_that_is_looked_for(serve, report) -> None:
    def tied(rows):
        order = np.argsort(np.argsort(rows["age"].to_numpy()))
        return rows.assign(spend=np.sort(rows["spend"].to_numpy())[order])

    serve(tied)
    summary, page = report(multivariate={"groups": {"money": ["spend", "ag*"]}})
    assert summary["columns"]["spend"] < 0.1
    assert [one["name"] for one in summary["multivariate"]] == ["all features", "money"]
    assert all(one["drifted"] for one in summary["multivariate"])
    assert summary["drifted"]
    assert "Boosted trees that have not seen these rows" in page


def test_no_value_of_the_data_leaves_with_the_summary(serve, report) -> None:
    serve(lambda rows: rows.assign(plan="secret plan", age=rows["age"] + 1))
    summary, page = report(multivariate={})
    assert "secret plan" not in json.dumps(summary)
    assert "secret plan" in page
    assert len(json.dumps(summary)) < 8_000


def test_the_page_stands_alone_and_leads_to_evidentlys(serve, report, backends) -> None:
    serve()
    _, page = report()
    assert 'href="drift_evidently.html"' in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    (beside,) = [key for key in backends.store.keys("reports") if key.endswith("drift_evidently.html")]
    assert b"<html" in backends.store.get(beside)[:2_000]


def test_what_data_say_is_no_markup(serve, report) -> None:
    serve(lambda rows: rows.assign(plan="<script>alert(1)</script>"))
    assert "<script" not in report()[1]


def test_a_champion_of_an_earlier_release_gets_its_scores_once(serve, report, backends, champion) -> None:
    files = backends.tracking.runs[champion]["files"]
    kept, sample = files.pop(SCORES_FILE), files.pop(SAMPLE_FILE)
    serve()
    assert report()[0]["explained"] is not None
    assert (files[SCORES_FILE], files[SAMPLE_FILE]) == (kept, sample)


def test_a_champion_without_any_answers_kept_is_named_and_stops_nothing(
    serve, report, backends, champion
) -> None:
    backends.tracking.runs[champion]["files"].clear()
    serve()
    summary, page = report()
    assert summary["prediction_drift"] is None
    assert "keeps none of its holdout" in summary["unsaid"][0]
    assert "What could not be said" in page


def test_a_window_of_another_version_is_named(serve, report, backends) -> None:
    serve()
    backends.tracking.versions.append(backends.tracking.versions[0])
    backends.tracking.set_alias("churn", "champion", "2")
    assert "no row of the window was answered by churn version 2" in report()[0]["unsaid"][0]


def test_a_champion_that_cannot_be_asked_leaves_the_rest(serve, report, backends, champion) -> None:
    serve()
    backends.tracking.runs[champion]["estimator"] = _Broken()
    summary, _ = report()
    assert summary["explained"] is None
    assert summary["prediction_drift"]["drifted"] is False
    assert summary["explained_slices"]
    assert "which features explain the scores" in summary["unsaid"][0]


class _Broken:
    def predict_proba(self, features):
        raise ValueError("no such encoder")


def test_nobody_is_asked_where_explaining_is_switched_off(serve, report) -> None:
    serve()
    summary, page = report(explain={"enabled": False})
    assert summary["explained"] is None
    assert summary["prediction_drift"] is not None
    assert "Why the scores moved" not in page


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("columns: [ages]", "'ages' is not in data.features; did you mean 'age'?"),
        ("groups: {money: [plan]}", "'plan' is categorical: a group is of numeric features"),
        ("groups: {money: ['e_*']}", "'e_*' is not in data.features"),
    ],
)
def test_a_column_that_cannot_be_looked_at_is_refused_at_its_line(tmp_path, config, said, problem) -> None:
    path = tmp_path / "churn.yaml"
    text = path.read_text().replace(
        "  window: 10 days\n", f"  window: 10 days\n  drift: {{multivariate: {{{said}}}}}\n"
    )
    path.write_text(text)
    with pytest.raises(Exception, match="multivariate") as refused:
        load_model(path)
    assert problem in str(refused.value)
