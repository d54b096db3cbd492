"""The training pipeline, step by step: what goes through, and what is refused before anything is trained."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from airflow_mlops.config.parts.data import ExpectationConfig
from airflow_mlops.config.parts.evaluation import EvaluationConfig
from airflow_mlops.config.parts.gates import Gates
from airflow_mlops.config.parts.tracking import TrackingConfig
from airflow_mlops.config.parts.training import Training
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Estimate, Evaluation
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    DatasetRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    RolloutRequest,
    SnapshotRequest,
    TakeChallengerRequest,
    TrainRequest,
)
from airflow_mlops.steps.sample_run import sample_run
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.take_challenger import take_challenger
from airflow_mlops.steps.train import predictions_of, train
from airflow_mlops.steps.validate import validate

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def whole_run(config, run, backends):
    """Snapshot to gate."""
    taken = snapshot(SnapshotRequest(config, run), backends)
    assert taken is not None
    validate(DatasetRequest(config, run, taken), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    return RegisterRequest(config, run, taken, trained, evaluation, verdict)


def change_rows(root, change):
    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    change(rows).to_parquet(path)


def test_a_first_model_goes_from_rows_to_challenger(config, backends, make_run):
    run = make_run(40)
    request = whole_run(config, run, backends)
    assert request.verdict.outcome == "pass", request.verdict.reasons
    model = register(request, backends)
    assert backends.tracking.aliases == {"challenger": model.version}
    kinds = [item.kind for item in backends.ledger.entries("churn")]
    assert sorted(kinds) == ["gated", "registered", "training_begun", "validated"]


def test_a_retry_of_every_step_changes_nothing(config, backends, make_run):
    run = make_run(40)
    first = whole_run(config, run, backends)
    register(first, backends)
    second = whole_run(config, run, backends)
    assert second.snapshot == first.snapshot
    assert register(second, backends).version == "1"
    assert len(backends.ledger.entries("churn")) == 4


def test_the_snapshot_is_as_of_the_window_and_its_holdout_the_newest_slice(config, backends, make_run):
    taken = snapshot(SnapshotRequest(config, make_run(40)), backends)
    holdout = backends.datasets.load(taken.dataset, "holdout")
    training = backends.datasets.load(taken.dataset, "train")
    assert training["at"].max() < holdout["at"].min()
    assert holdout["at"].min() == pd.Timestamp(START + timedelta(days=30))
    assert holdout["at"].max() < pd.Timestamp(START + timedelta(days=40))
    assert (len(training), len(holdout)) == (600, 200)


def test_equal_rows_have_one_version_and_another_row_has_another(config, backends, make_run, root):
    first = snapshot(SnapshotRequest(config, make_run(40)), backends)
    again = snapshot(SnapshotRequest(config, make_run(40, run_id="r2")), backends)
    assert first.dataset.version == again.dataset.version

    def one_value_changed(rows):
        rows.loc[3, "age"] += 1
        return rows

    change_rows(root, one_value_changed)
    assert snapshot(SnapshotRequest(config, make_run(40)), backends).dataset.version != first.dataset.version


def one_class(rows):
    return rows.assign(churned=0)


def null_labels(rows):
    return rows.assign(churned=pd.array([None] * len(rows), dtype="Int64"))


def text_in_a_number(rows):
    return rows.assign(age=["old"] * len(rows))


def repeated_keys(rows):
    return rows.assign(id="same")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="plan"), "plan"),
        (text_in_a_number, "age is"),
        (lambda rows: rows.iloc[:0], "no rows with at in 2024-01-01 to 2024-02-10"),
        (null_labels, r"null label \('churned'\)"),
        (one_class, "one class only: all [0-9]+ have the same churned"),
        (repeated_keys, "repeat a 'id'"),
        (lambda rows: rows.iloc[:30], "data.minimum_rows asks for 100"),
        (lambda rows: rows[rows["at"] < START + timedelta(days=29)], "no labelled rows in the holdout"),
    ],
    ids=[
        "missing column", "wrong type", "empty window", "null labels", "one class", "keys repeat",
        "too few rows", "empty holdout",
    ],
)  # fmt: skip
def test_bad_rows_are_refused_with_what_is_wrong(config, backends, make_run, root, change, message):
    change_rows(root, change)
    with pytest.raises(DataRefused, match=message):
        snapshot(SnapshotRequest(config, make_run(40)), backends)


def test_a_failed_expectation_stops_the_run_and_keeps_values_out_of_the_message(
    config, backends, make_run, root
):
    def holes(rows):
        rows.loc[:9, "age"] = np.nan
        rows.loc[:4, "spend"] = -123.25
        return rows

    change_rows(root, holes)
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    with pytest.raises(DataRefused) as caught:
        validate(DatasetRequest(config, run, taken), backends)
    message = str(caught.value)
    assert "1 of 2 expectations failed" in message
    assert "expect_column_values_to_not_be_null on age: 10 of 800 rows" in message
    assert "-123.25" not in message
    page = backends.store.local_path(message.rsplit("Sample rows: ", 1)[1]).read_text()
    assert "-123.25" in page


def test_a_warning_is_reported_and_stops_nothing(config, backends, make_run, root):
    def negative(rows):
        rows.loc[:4, "spend"] = -1.0
        return rows

    change_rows(root, negative)
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    report = validate(DatasetRequest(config, run, taken), backends)
    assert report.summary["success"] is True
    assert report.summary["failed"][0]["severity"] == "warning"


def test_a_worse_challenger_is_held_and_nothing_is_registered(config, backends, make_run, root):
    first = whole_run(config, make_run(40), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)

    def noise(rows):
        early = rows["at"] < START + timedelta(days=45)
        rows.loc[early, "age"] = np.random.default_rng(1).normal(size=int(early.sum()))
        return rows

    change_rows(root, noise)
    request = whole_run(config, make_run(55, run_id="r2"), backends)
    assert request.verdict.outcome == "fail"
    assert any("worse than champion" in reason for reason in request.verdict.reasons), request.verdict.reasons
    with pytest.raises(ModelRefused, match="only a model that passed is registered"):
        register(request, backends)
    assert backends.tracking.versions == ["run-churn.train|r1|-1"]


def test_a_champion_that_has_seen_the_holdout_is_not_compared(config, backends, make_run):
    first = whole_run(config, make_run(55), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)
    request = whole_run(config, make_run(40, run_id="r2"), backends)
    assert "trained on rows until" in request.evaluation.champion_problem
    assert request.verdict.outcome == "inconclusive"


def test_a_backfill_registers_beside_the_champion_and_touches_no_alias(config, backends, make_run):
    first = whole_run(config, make_run(55), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)
    before = dict(backends.tracking.aliases)
    request = whole_run(config, make_run(40, kind="backfill", run_id="b1"), backends)
    model = register(request, backends)
    assert model.version == "2"
    assert backends.tracking.aliases == before
    entry = [item for item in backends.ledger.entries("churn") if item.kind == "registered"][-1]
    assert {item.data["role"] for item in backends.ledger.entries("churn") if item.kind == "registered"} == {
        "challenger", "backfill",
    }  # fmt: skip
    assert entry.version in {"1", "2"}


def requested(subject: str, day: int) -> Entry:
    end = START + timedelta(days=day)
    return Entry(
        model="churn",
        kind="retrain_requested",
        subject=subject,
        at=datetime(2025, 1, 1, tzinfo=timezone.utc) + timedelta(days=day),
        dag_id="churn.monitor",
        run_id=f"m{day}",
        reasons=(f"decay on day {day}",),
        window=Window(end - timedelta(days=10), end),
    )


def test_an_asset_run_works_off_all_that_is_pending_and_its_window_is_the_newest(config, backends, make_run):
    for subject, day in (("a", 35), ("b", 45)):
        backends.ledger.append(requested(subject, day))
    taken = snapshot(SnapshotRequest(config, make_run(59, kind="asset")), backends)
    assert taken.requests == ("a", "b")
    assert taken.causes == ("decay on day 35", "decay on day 45")
    assert taken.dataset.window.end == START + timedelta(days=45)


def test_an_asset_that_is_not_retrainings_own_trains_with_nothing_pending_and_is_the_cause(
    config, backends, make_run
):
    run = make_run(40, kind="asset")
    woken = replace(run, woken_by=("churn/retrain", "raw/customers"))
    assert snapshot(SnapshotRequest(config, woken), backends).causes == ("asset raw/customers was updated",)
    assert snapshot(SnapshotRequest(config, replace(run, woken_by=("churn/retrain",))), backends) is None


def test_the_reason_that_a_person_gives_is_the_cause(config, backends, make_run):
    run = replace(make_run(40), reason="the labels were corrected")
    taken = snapshot(SnapshotRequest(config, run), backends)
    assert taken.causes == ("manual run: the labels were corrected",)


def test_a_request_is_acted_on_once_and_a_retry_keeps_its_own(config, backends, make_run):
    backends.ledger.append(requested("a", 45))
    mine = make_run(59, kind="asset", run_id="first")
    assert snapshot(SnapshotRequest(config, mine), backends).requests == ("a",)
    assert snapshot(SnapshotRequest(config, mine), backends).requests == ("a",)
    assert snapshot(SnapshotRequest(config, make_run(59, kind="asset", run_id="second")), backends) is None


def test_a_backfill_takes_no_request(config, backends, make_run):
    backends.ledger.append(requested("a", 45))
    assert snapshot(SnapshotRequest(config, make_run(40, kind="backfill")), backends).requests == ()
    assert snapshot(SnapshotRequest(config, make_run(40, kind="asset", run_id="x")), backends).requests == (
        "a",
    )


def test_a_champion_whose_answers_cannot_be_scored_is_named_and_stops_no_evaluation(
    config, backends, make_run
):
    first = whole_run(config, make_run(40), backends)
    backends.tracking.set_alias("churn", "champion", register(first, backends).version)
    working = backends.tracking.load

    class NotNumbers:
        def predict(self, features):
            return np.full(len(features), np.nan)

    backends.tracking.load = lambda uri, **given: (
        NotNumbers() if uri.startswith("models:") else working(uri, **given)
    )
    request = whole_run(config, make_run(55, run_id="r2"), backends)
    assert "predictions are null or not finite" in request.evaluation.champion_problem
    assert request.evaluation.challenger["roc_auc"].value > 0.6
    assert request.verdict.outcome == "inconclusive"


@pytest.mark.parametrize(
    "answers", [np.ones((20, 1)), [0.5] * 20, None], ids=["one column", "a list", "nothing"]
)
def test_a_model_with_other_answers_than_its_task_needs_is_a_failed_training(answers):
    class Odd:
        def predict_proba(self, features):
            return answers

    with pytest.raises(TrainingFailed, match="something else than an array"):
        predictions_of(Odd(), pd.DataFrame({"age": range(20)}), "binary_classification")


def test_a_bound_of_another_type_than_its_column_is_a_failed_expectation(
    config, backends, make_run, tmp_path
):
    bound = ExpectationConfig(
        type="expect_column_values_to_be_between", kwargs={"column": "plan", "min_value": 0}
    )
    validation = config.validation.model_copy(update={"expectations": (bound,)})
    config = config.model_copy(update={"validation": validation})
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    with pytest.raises(DataRefused, match=r"between on plan: could not be computed"):
        validate(DatasetRequest(config, run, taken), backends)


def test_a_registration_that_is_cleared_later_makes_no_old_version_the_challenger(
    config, backends, make_run, prove
):
    request = whole_run(config, make_run(40), backends)
    version = register(request, backends).version
    rolled_out = make_run(41, dag="deploy", run_id="d1")
    rollout = take_challenger(TakeChallengerRequest(config, rolled_out), backends)
    promote(RolloutRequest(config, rolled_out, prove(rolled_out, rollout)), backends)
    assert register(request, backends).version == version
    assert backends.tracking.aliases == {"champion": version}


def test_smoke_rows_keep_every_digit_of_their_features(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(spend=rows["spend"] * 1e-20))
    request = whole_run(config, make_run(40), backends)
    kept = json.loads(backends.tracking.read_file(request.training.run_id, "smoke.json"))
    holdout = backends.datasets.load(request.snapshot.dataset, "holdout")
    assert [row["spend"] for row in kept["rows"]] == holdout["spend"].head(20).tolist()


def test_an_evaluation_with_an_infinite_metric_can_be_read_again(config, backends, make_run):
    run = make_run(40)
    request = whole_run(config, run, backends)
    endless = {"roc_auc": Estimate(float("nan"), float("-inf"), float("inf"))}

    class Scored:
        def score(self, *given, **about):
            return endless

        def difference(self, *given, **about):
            return endless

        def direction(self, metric):
            return "higher"

    backends.metrics = lambda task, scoring: Scored()
    evaluate(EvaluateRequest(config, run, request.snapshot, request.training), backends)
    kept = backends.tracking.read_file(request.training.run_id, "evaluation.json")
    assert TypeAdapter(Evaluation).validate_json(kept).challenger["roc_auc"].high == float("inf")


def test_gates_judge_what_decisions_cost_by_a_column_that_is_no_feature(config, backends, make_run, root):
    change_rows(root, lambda rows: rows.assign(amount=10.0))
    rule = {"type": "threshold", "metric": "cost", "maximum": 10.0}
    config = config.model_copy(
        update={
            "evaluation": EvaluationConfig(
                metrics=["roc_auc", {"name": "cost", "cost": {"false_negative": "amount"}}],
                decision_threshold=0.3,
            ),
            "gates": Gates(
                rules=[rule, {"type": "champion", "metric": "cost", "margin": 1.0}], minimum_rows=50
            ),
        }
    )
    request = whole_run(config, make_run(40), backends)
    assert request.verdict.outcome == "pass", request.verdict.reasons
    found, rows = request.evaluation.challenger["cost"], request.evaluation.rows
    missed = found.value * rows / 10
    assert 0 < found.low < found.value < found.high < 10
    assert missed == pytest.approx(round(missed)), "each positive that was missed costs its amount"


@pytest.mark.parametrize(("task", "metric"), [("ranking", "ndcg"), ("forecasting", "mean_absolute_error")])
def test_a_number_a_row_is_trained_and_scored_whatever_it_is_for(
    config, backends, make_run, root, task, metric
):
    change_rows(root, lambda rows: rows.assign(query=[f"q{index // 5}" for index in range(len(rows))]))
    config = config.model_copy(
        update={
            "task": task,
            "data": config.data.model_copy(update={"group": "query"}),
            "training": Training(estimator="sklearn.linear_model.LinearRegression"),
            "evaluation": EvaluationConfig(metrics=[metric]),
            "gates": Gates(rules=[{"type": "threshold", "metric": metric, "minimum": 0.1}], minimum_rows=50),
        }
    )
    request = whole_run(config, make_run(40), backends)
    assert request.verdict.outcome == "pass", request.verdict.reasons
    found = request.evaluation.challenger[metric]
    assert found.low < found.value < found.high


def labels(*values):
    def change(rows):
        return rows.assign(churned=[values[index % len(values)] for index in range(len(rows))])

    return change


@pytest.mark.parametrize(
    ("task", "metric", "change", "message"),
    [
        (
            "binary_classification",
            "roc_auc",
            labels("no", "yes"),
            r"numbered from 0, so 0 and 1.*600 of 600 in the training rows have another churned",
        ),
        (
            "binary_classification",
            "roc_auc",
            labels(0, 1, 2),
            "200 of 600 in the training rows have another churned",
        ),
        ("multiclass_classification", "accuracy", labels(1, 2, 3), r"so 0 to 2 here.*have another churned;"),
        (
            "regression",
            "mean_absolute_error",
            labels("ten"),
            "labels of a regression are numbers, but churned is .* in 800 rows",
        ),
        ("regression", "mean_absolute_error", labels(1.0, float("inf")), "400 of 800 churned are infinite"),
    ],
    ids=["words", "three classes", "classes from 1", "text", "infinity"],
)
def test_labels_that_cannot_be_scored_are_refused_before_training(
    config, backends, make_run, root, task, metric, change, message
):
    change_rows(root, change)
    config = config.model_copy(update={"task": task})
    with pytest.raises(DataRefused, match=message):
        snapshot(SnapshotRequest(config, make_run(40)), backends)


def test_a_class_that_only_the_holdout_has_is_refused_before_training(config, backends, make_run, root):
    def third_class_at_the_end(rows):
        late = rows["at"] >= START + timedelta(days=35)
        return rows.assign(churned=rows["churned"].where(~late, 2))

    change_rows(root, third_class_at_the_end)
    config = config.model_copy(update={"task": "multiclass_classification"})
    with pytest.raises(DataRefused, match="in the holdout have another churned;"):
        snapshot(SnapshotRequest(config, make_run(40)), backends)


def test_numbers_flags_decimals_and_holes_are_numbers_and_text_whatever_pandas_holds_them_as(
    config, backends, make_run, root
):
    def odd(rows):
        count = len(rows)
        return rows.assign(
            age=[Decimal(index) / 4 if index else None for index in range(count)],
            spend=pd.Series([True, None] * (count // 2), dtype=object),
            plan=pd.array([7, None] * (count // 2), dtype="Int64"),
            churned=[Decimal(index % 2) for index in range(count)],
        )

    change_rows(root, odd)
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    frame = backends.datasets.load(taken.dataset, "all")
    assert frame["age"].tolist()[1:3] == [0.25, 0.5]
    assert frame["spend"].tolist()[0] == 1.0
    assert frame["plan"].dropna().unique().tolist() == ["7"]
    assert train(TrainRequest(config, run, taken), backends).run_id


def test_a_run_of_an_earlier_window_leaves_a_later_request_to_the_next(config, backends, make_run):
    backends.ledger.append(requested("a", 45))
    assert snapshot(SnapshotRequest(config, make_run(40, run_id="early")), backends).requests == ()
    late = make_run(59, kind="asset", run_id="asset")
    assert snapshot(SnapshotRequest(config, late), backends).requests == ("a",)


def test_a_challenger_carries_the_tags_of_the_yaml_and_a_backfill_does_not(config, backends, make_run):
    tags = {"challenger": {"stage": "staging-candidate"}}
    config = config.model_copy(update={"tracking": TrackingConfig.model_validate({"version_tags": tags})})
    register(whole_run(config, make_run(40), backends), backends)
    register(whole_run(config, make_run(41, kind="backfill", run_id="b1"), backends), backends)
    first, second = (backends.tracking.version_tags[version] for version in ("1", "2"))
    assert (first["stage"], first["mlops.kind"]) == ("staging-candidate", "challenger")
    assert "stage" not in second


def test_a_text_is_never_missing_and_its_model_answers_rows_without_one(config, backends, make_run, root):
    def commented(rows):
        words = np.where(rows["churned"] == 1, "leaving soon", "quite happy")
        return rows.assign(comment=pd.Series(words).where(rows.index % 7 > 0, None))

    change_rows(root, commented)
    features = {**config.data.features, "comment": "text"}
    config = config.model_copy(update={"data": config.data.model_copy(update={"features": features})})
    done = whole_run(config, make_run(40), backends)
    assert done.verdict.passed
    assert done.evaluation.challenger["roc_auc"].value > 0.9
    rows = backends.datasets.load(done.snapshot.dataset, "all")
    assert not rows["comment"].isna().any()
    assert (rows["comment"] == "").any()
    sample_run(DatasetRequest(config, make_run(40), done.snapshot), backends)
