"""The steps of the score DAG: partitions written whole, never twice, with lineage, seen by the monitor."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from airflow_mlops.backends.base import Endpoints, ServingEndpoint
from airflow_mlops.backends.catalog import connect
from airflow_mlops.backends.partition_file import footer
from airflow_mlops.backends.serving_batch import BatchTarget
from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.deploy_targets import BatchTargetConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef, RunInfo, RunKey, Traffic
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import DataRefused, ModelRefused, StoreUnavailable
from airflow_mlops.steps.catalog import dump_request, run_step
from airflow_mlops.steps.choose_partitions import choose_partitions
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.performance import performance
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import (
    ChooseRequest,
    CollectedRequest,
    CollectRequest,
    EvaluateRequest,
    RolloutRequest,
    ScoreRequest,
    SnapshotRequest,
    StageRequest,
    TakeChallengerRequest,
    TrainRequest,
)
from airflow_mlops.steps.run_files import SMOKE_FILE
from airflow_mlops.steps.score import score
from airflow_mlops.steps.smoke_serve import smoke_serve
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.stage import judge_stage, open_stage
from airflow_mlops.steps.take_challenger import take_challenger
from airflow_mlops.steps.train import train

UTC = timezone.utc
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def scored_by(config, tmp_path):
    """``scored_by(shadow_share=0.5, ...)``: the model with a ``score`` of these settings."""
    plain = (tmp_path / "churn.yaml").read_text()

    def make(**settings):
        path = tmp_path / "scored.yaml"
        path.write_text(f"{plain}score: {json.dumps(settings)}\n")
        return load_model(path).config

    return make


@pytest.fixture(scope="module")
def fitted():
    """Two estimators of different strength of mind, on rows of another seed than the store's."""
    rows = pd.DataFrame({"age": [-2.0, -1, 0, 1, 2] * 20, "spend": np.linspace(0, 3, 100)})
    rows["plan"] = ["free", "pro"] * 50
    label = (rows["age"] + np.sin(np.arange(100)) > 0).astype(int)

    def fit(strength):
        columns = make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough")
        return make_pipeline(columns, LogisticRegression(C=strength)).fit(rows, label), rows

    return {"1": fit(1.0), "2": fit(0.3)}


@pytest.fixture
def versions(backends, fitted):
    """Two registered versions; the first is the champion."""
    for number, (estimator, rows) in fitted.items():
        trained = backends.tracking.log_training(
            run_key=f"t{number}",
            estimator=estimator,
            tags={"mlops.code_version": "code"},
            dataset_uri="file:///gone",
            dataset_version="d" * 64,
            files={},
            params={},
            task="binary_classification",
            trusted_types=(),
            input_example=rows,
        )
        backends.tracking.register("churn", trained, {})
    backends.tracking.set_alias("churn", "champion", "1")
    return {number: backends.tracking.load(f"models:/churn/{number}") for number in fitted}


def scoring(first=40, last=43, *, run_id="s1", kind="scheduled", minutes=0) -> RunInfo:
    """A run over these days; ``minutes`` after the first of its kind."""
    window = Window(START + first * DAY, START + last * DAY)
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return RunInfo(RunKey("churn.score", run_id), kind, WindowSources(data_interval=window), now)


def ran(config, run, backends):
    chosen = choose_partitions(ChooseRequest(config, run), backends)
    assert chosen is not None
    return score(ScoreRequest(config, run, chosen), backends)


def train_champion(config, run, backends):
    """Version 3, with the snapshot and the evaluation that monitoring holds it against."""
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluate(EvaluateRequest(config, run, taken, trained), backends)
    model = backends.tracking.register("churn", trained, {})
    backends.tracking.set_alias("churn", "champion", model.version)


def written(root, day) -> pd.DataFrame:
    return pd.read_parquet(root / "predictions" / "churn" / f"date=2024-{day}" / "predictions.parquet")


def everything(root) -> pd.DataFrame:
    """All partitions as a reader of the folder sees them."""
    return pd.read_parquet(root / "predictions" / "churn")


def rows_of(root, first=40, last=43) -> pd.DataFrame:
    rows = pd.read_parquet(root / "rows" / "all.parquet")
    return rows[(rows["at"] >= START + first * DAY) & (rows["at"] < START + last * DAY)]


def test_each_partition_holds_its_rows_once_with_the_champions_answers(scored_by, versions, backends, root):
    scored = ran(scored_by(keep=["plan"]), scoring(), backends)
    assert [one.partition.name for one in scored.partitions] == ["2024-02-10", "2024-02-11", "2024-02-12"]
    assert (scored.rows, scored.partitions[0].rows) == (60, 20)
    asked = rows_of(root, 40, 41).reset_index(drop=True)
    found = written(root, "02-10")
    assert found.columns.tolist() == ["id", "at", "plan", "prediction", "model_version", "error"]
    assert found["id"].tolist() == asked["id"].tolist()
    np.testing.assert_allclose(found["prediction"], versions["1"].predict(asked[["age", "spend", "plan"]]))
    assert set(found["model_version"]) == {"1"}
    assert found["error"].isna().all()
    assert len(everything(root)) == 60


def test_scoring_again_replaces_a_partition_and_doubles_nothing(scored_by, versions, backends, root):
    config = scored_by()
    ran(config, scoring(), backends)
    first = backends.predictions.kept("predictions/churn/date=2024-02-10")
    extra = rows_of(root, 40, 41).head(1).assign(id="late one")
    extra.to_parquet(root / "rows" / "late.parquet")
    backends.tracking.set_alias("churn", "champion", "2")
    ran(config, scoring(run_id="s2", kind="backfill", minutes=5), backends)
    assert sorted(written(root, "02-10")["id"]) == sorted([*rows_of(root, 40, 41)["id"], "late one"])
    assert set(everything(root)["model_version"]) == {"2"}
    assert len(everything(root)) == 61
    second = backends.predictions.kept("predictions/churn/date=2024-02-10")
    assert first.data_version != second.data_version
    assert second.lineage["run"] == {"dag_id": "churn.score", "run_id": "s2"}


def test_the_lineage_lies_beside_the_file_and_in_it(scored_by, versions, backends, root):
    run = replace(scoring(), code_version="abc", config_digest="d1", actor="ada")
    ran(scored_by(), run, backends)
    folder = root / "predictions" / "churn" / "date=2024-02-10"
    told = json.loads((folder / "_manifest.json").read_text())
    assert told["lineage"]["champion"]["version"] == "1"
    assert told["lineage"]["champion"]["training_run"] == "run-t1"
    assert len(told["lineage"]["champion"]["data_version"]) == 64
    assert (told["lineage"]["code_version"], told["lineage"]["config_digest"]) == ("abc", "d1")
    assert told["lineage"]["source"]["path"] == "rows/*.parquet"
    assert (told["rows"], len(told["data_version"])) == (20, 64)
    assert told["partition"]["window"]["start"] == "2024-02-10T00:00:00Z"
    assert footer(folder / "predictions.parquet") == backends.predictions.kept(
        "predictions/churn/date=2024-02-10"
    )


def test_pieces_of_any_size_give_the_same_file_and_data_version(scored_by, versions, backends, root):
    rows = pd.concat([rows_of(root, 40, 41)] * 200, ignore_index=True)
    rows["id"] = np.arange(len(rows))
    (root / "many").mkdir()
    rows.to_parquet(root / "many" / "all.parquet", row_group_size=700)
    source = {"type": "parquet", "path": "many/*.parquet"}
    seen = []
    for number, size in enumerate((1_000, 5_000_000)):
        config = scored_by(source=source, chunk_rows=size)
        (one,) = ran(config, scoring(40, 41, run_id=f"s{number}"), backends).partitions
        groups = pq.read_metadata(
            root / "predictions/churn/date=2024-02-10/predictions.parquet"
        ).num_row_groups
        seen.append((one.data_version, written(root, "02-10").sort_values("id", ignore_index=True), groups))
    assert seen[0][0] == seen[1][0]
    assert (seen[0][2], seen[1][2]) == (4, 1)
    pd.testing.assert_frame_equal(seen[0][1], seen[1][1])


def test_a_retry_goes_on_where_the_run_was_and_a_cleared_run_scores_anew(
    scored_by, versions, backends, root, monkeypatch
):
    config, run = scored_by(), scoring()
    chosen = choose_partitions(ChooseRequest(config, run), backends)
    real, asked = type(backends.predictions).score, []

    def fails_at_the_second(self, job, pieces):
        asked.append(job.partition.name)
        if len(asked) == 2:
            raise StoreUnavailable("the disk is full")
        return real(self, job, pieces)

    monkeypatch.setattr(type(backends.predictions), "score", fails_at_the_second)
    with pytest.raises(StoreUnavailable):
        score(ScoreRequest(config, run, chosen), backends)
    assert score(ScoreRequest(config, run, chosen), backends).rows == 60
    assert asked == ["2024-02-10", "2024-02-11", "2024-02-11", "2024-02-12"]
    ran(config, scoring(minutes=10), backends)
    assert asked[4:] == ["2024-02-10", "2024-02-11", "2024-02-12"]


def test_a_champion_that_cannot_answer_leaves_the_old_predictions(
    scored_by, versions, backends, root, monkeypatch
):
    config = scored_by()
    ran(config, scoring(), backends)
    before = written(root, "02-10")

    def refuses(self, features):
        raise ModelRefused("no such plan")

    monkeypatch.setattr(type(versions["1"]), "predict", refuses)
    with pytest.raises(ModelRefused, match="no such plan"):
        ran(config, scoring(run_id="s2"), backends)
    pd.testing.assert_frame_equal(written(root, "02-10"), before)
    assert [path.name for path in (root / "predictions").rglob("*.tmp")] == []


def test_a_partition_with_too_few_rows_is_refused_and_keeps_what_it_held(scored_by, versions, backends, root):
    ran(scored_by(), scoring(), backends)
    (root / "rows" / "all.parquet").rename(root / "gone.parquet")
    rows = pd.read_parquet(root / "gone.parquet")
    rows[rows["at"] < START + 40 * DAY].to_parquet(root / "rows" / "all.parquet")
    with pytest.raises(
        DataRefused, match=r"0 rows in 2024-02-10 to 2024-02-11, score.minimum_rows asks for 1"
    ):
        ran(scored_by(), scoring(run_id="s2"), backends)
    assert len(everything(root)) == 60
    ran(scored_by(minimum_rows=0), scoring(run_id="s3"), backends)
    assert len(written(root, "02-10")) == 0
    assert written(root, "02-10").columns[-3:].tolist() == ["prediction", "model_version", "error"]


def test_an_answer_that_is_no_number_is_an_error_of_its_row(scored_by, versions, backends, root, monkeypatch):
    real = type(versions["1"]).predict
    monkeypatch.setattr(
        type(versions["1"]), "predict", lambda self, rows: np.r_[np.nan, real(self, rows)[1:]]
    )
    scored = ran(scored_by(), scoring(40, 41), backends)
    found = written(root, "02-10")
    assert (scored.partitions[0].errors, found["error"].notna().sum()) == (1, 1)
    assert found["error"].iloc[0] == "the model gave no number"
    assert np.isnan(found["prediction"].iloc[0])


def test_another_models_folder_is_not_written_to(scored_by, versions, backends, root):
    ran(scored_by(path="shared/{partition}"), scoring(40, 41), backends)
    other = scored_by(path="shared/{partition}").model_copy(update={"model": "attrition"})
    with pytest.raises(DataRefused, match=r"holds the predictions of churn; give attrition a score\.path"):
        ran(other, scoring(40, 41, run_id="s2"), backends)


def test_without_a_champion_there_is_nothing_to_do(scored_by, backends):
    assert choose_partitions(ChooseRequest(scored_by(), scoring()), backends) is None


def test_a_window_that_cuts_through_a_partition_is_refused_with_the_nearest_whole_one(
    scored_by, versions, backends
):
    window = Window(START + 40.5 * DAY, START + 42 * DAY)
    run = replace(scoring(), sources=WindowSources(params=window))
    with pytest.raises(DataRefused, match=r"whole partitions of one day.*2024-02-10 to 2024-02-12"):
        choose_partitions(ChooseRequest(scored_by(), run), backends)


def test_a_run_that_knows_only_its_time_scores_what_was_over_by_then(scored_by, versions, backends):
    run = replace(scoring(), kind="asset", sources=WindowSources(run_after=START + 40.6 * DAY))

    def names(**settings):
        chosen = choose_partitions(ChooseRequest(scored_by(**settings), run), backends)
        return [one.partition.name for one in chosen.partitions]

    assert names() == ["2024-02-09"]
    assert names(window="3 days") == ["2024-02-07", "2024-02-08", "2024-02-09"]
    assert names(partition="week") == ["2024-W05"]


def test_an_old_partition_may_be_scored_by_the_champion_of_its_time(scored_by, versions, backends, root):
    for version, day in (("1", 41), ("2", 42)):
        backends.ledger.append(
            Entry("churn", "promoted", version, START + (day - 0.5) * DAY, "churn.deploy", f"d{version}")
        )
    backends.tracking.set_alias("churn", "champion", "2")
    config = scored_by(champion="then")
    run = scoring(39, 43, kind="backfill")
    chosen = choose_partitions(ChooseRequest(config, run), backends)
    assert chosen.left_out == ("2024-02-09",)
    score(ScoreRequest(config, run, chosen), backends)
    assert everything(root).groupby(everything(root)["at"].dt.day)["model_version"].first().to_dict() == {
        10: "1",
        11: "2",
        12: "2",
    }


def test_the_challenger_is_shown_its_share_and_nobody_sees_its_answers(scored_by, versions, backends, root):
    backends.tracking.set_alias("churn", "challenger", "2")
    scored = ran(scored_by(shadow_share=0.5), scoring(), backends)
    counts = [one.shadow for one in scored.partitions]
    shown = sum(one.challenger.rows for one in counts)
    assert 15 < shown < 45
    assert {one.challenger.version for one in counts} == {"2"}
    assert counts[0].champion.rows == counts[0].challenger.rows
    assert sum(counts[0].challenger.scores) == counts[0].challenger.rows
    assert set(everything(root)["model_version"]) == {"1"}
    again = ran(scored_by(shadow_share=0.5), scoring(run_id="s2"), backends)
    assert sum(one.shadow.challenger.rows for one in again.partitions) == shown
    more = ran(scored_by(shadow_share=1), scoring(run_id="s3"), backends)
    assert sum(one.shadow.challenger.rows for one in more.partitions) == 60


def test_a_challenger_that_breaks_is_counted_and_the_rows_are_scored(scored_by, versions, backends, root):
    backends.tracking.set_alias("churn", "challenger", "2")
    backends.tracking.runs["run-t2"]["estimator"] = object()
    (one,) = ran(scored_by(shadow_share=1), scoring(40, 41), backends).partitions
    assert (one.shadow.challenger.rows, one.shadow.challenger.errors) == (20, 20)
    assert one.shadow.error.startswith("AttributeError (at ")
    log = backends.inference_log.read("churn", Window(START, START + 99 * DAY))
    shadow = log[log["role"] == "shadow"]
    assert len(shadow) == 20
    assert shadow["error"].str.contains("AttributeError").all()
    assert len(written(root, "02-10")) == 20


def test_a_backfill_is_shown_to_no_challenger(scored_by, versions, backends):
    backends.tracking.set_alias("churn", "challenger", "2")
    chosen = choose_partitions(ChooseRequest(scored_by(shadow_share=1), scoring(kind="backfill")), backends)
    assert chosen.challenger is None


def test_the_monitor_sees_a_batch_model_without_further_settings(
    scored_by, config, versions, backends, root, make_run
):
    train_champion(config, make_run(40), backends)
    backends.tracking.set_alias("churn", "challenger", "2")
    config = scored_by(shadow_share=1)
    for _ in range(2):
        ran(config, scoring(40, 50), backends)
    rows_of(root, 40, 50)[["id", "at", "churned"]].to_parquet(root / "labels" / "landed.parquet")
    run = make_run(50, dag="monitor")
    collected = collect(CollectRequest(config, run), backends)
    assert collected.rows == 200
    asked = CollectedRequest(config, run, collected)
    assert drift(asked, backends).summary["drifted"] is False
    summary = performance(asked, backends).summary
    assert (summary["labels"], summary["coverage"]) == (200, 1.0)
    log = backends.inference_log.read("churn", collected.window)
    pairs = log[log["role"] == "champion"].merge(log[log["role"] == "shadow"], on=["request_id", "key"])
    assert len(pairs) == 200
    assert set(pairs["version_y"]) == {"2"}
    np.testing.assert_allclose(
        pairs["prediction_y"],
        versions["2"].predict(
            pairs[["age_x", "spend_x", "plan_x"]].set_axis(["age", "spend", "plan"], axis=1)
        ),
    )


def test_the_inference_log_holds_a_bounded_sample_the_same_each_time(scored_by, versions, backends, root):
    keys = []
    for number, size in enumerate((1_000, 100_000)):
        rows = pd.concat([rows_of(root, 40, 41)] * 300, ignore_index=True)
        rows["id"] = [f"row {index}" for index in range(len(rows))]
        (root / "many").mkdir(exist_ok=True)
        rows.to_parquet(root / "many" / "all.parquet")
        config = scored_by(
            source={"type": "parquet", "path": "many/*.parquet"}, chunk_rows=size, log_rows=500
        )
        ran(config, scoring(40, 41, run_id=f"s{number}"), backends)
        keys.append(sorted(backends.inference_log.read("churn", Window(START, START + 99 * DAY))["key"]))
    assert len(keys[0]) == 500
    assert keys[0] == keys[1]


def test_steps_run_on_plain_json(scored_by, versions, backends):
    config = scored_by()
    chosen = run_step("choose_partitions", dump_request(ChooseRequest(config, scoring())), backends)
    request = {**dump_request(ChooseRequest(config, scoring())), "chosen": chosen}
    assert run_step("score", request, backends)["rows"] == 60


def test_a_batch_model_is_rolled_out_by_what_its_scoring_has_shown(scored_by, versions, backends, root):
    tracking, soon = backends.tracking, datetime.now(UTC) + timedelta(hours=1)
    backends.serving = BatchTarget(ServingEndpoint("batch", "churn"), backends.store, tracking)
    registered_challenger(backends, versions["2"])
    config = scored_by(shadow_share=1)
    deploy = config.deploy.model_copy(
        update={
            "target": BatchTargetConfig(type="batch"),
            "strategy": "shadow",
            "shadow": config.deploy.shadow.model_copy(update={"minimum_requests": 50}),
        }
    )
    config = config.model_copy(update={"deploy": deploy})
    deploying = RunInfo(RunKey("churn.deploy", "d1"), "asset", WindowSources(run_after=soon), soon)

    rollout = take_challenger(TakeChallengerRequest(config, deploying), backends)
    assert (rollout.candidate.version, rollout.champion.version) == ("2", "1")
    assert smoke_serve(RolloutRequest(config, deploying, rollout), backends).outcome == "pass"
    ran(config, scoring(run_id="before"), backends)
    stage = StageRequest(config, deploying, rollout, "shadow", 0.0)
    open_stage(stage, backends)
    early = judge_stage(stage, backends)
    assert (early.outcome, early.reasons[0][:12]) == ("inconclusive", "0 of 50 rows")
    ran(config, replace(scoring(run_id="after"), now=soon), backends)
    verdict = judge_stage(stage, backends)
    assert verdict.outcome == "pass", verdict.reasons
    assert any("of 60 rows" in reason for reason in verdict.reasons), verdict.reasons

    later = replace(deploying, now=soon + timedelta(minutes=1))
    promote(RolloutRequest(config, later, rollout), backends)
    assert tracking.alias("churn", "champion").version == "2"
    assert backends.serving.traffic() == Traffic(ModelRef("churn", "2"))
    ran(config, scoring(run_id="next"), backends)
    assert set(everything(root)["model_version"]) == {"2"}


def registered_challenger(backends, model):
    """Version 2 as its training run leaves it: registered, with an alias and the rows of the smoke test."""
    backends.tracking.set_alias("churn", "challenger", "2")
    rows = [{"age": 0.5, "spend": 1.0, "plan": "pro"}, {"age": -1.5, "spend": 0.0, "plan": "free"}]
    smoke = {"rows": rows, "predictions": model.predict(pd.DataFrame(rows)).tolist()}
    backends.tracking.log_file("run-t2", SMOKE_FILE, json.dumps(smoke).encode())
    backends.ledger.append(
        Entry(
            "churn", "registered", "2", START, "churn.train", "t2", version="2", data={"role": "challenger"}
        )
    )


def test_the_sample_goes_where_the_inference_log_is_kept(scored_by, versions, backends, root, tmp_path):
    elsewhere = connect(Endpoints(store=str(root), inference_log=str(tmp_path / "logs")))
    backends.predictions = elsewhere.predictions
    ran(scored_by(), scoring(40, 41), backends)
    assert not (root / "inference").exists()
    window = Window(START, START + 99 * DAY)
    assert len(elsewhere.inference_log.read("churn", window)) == 20


def test_several_classes_are_written_as_the_best_one_and_the_probability_of_each(
    scored_by, versions, backends, root, monkeypatch
):
    chances = np.array([0.2, 0.5, 0.3])
    monkeypatch.setattr(type(versions["1"]), "predict", lambda self, rows: np.tile(chances, (len(rows), 1)))
    config = scored_by().model_copy(update={"task": "multiclass_classification"})
    ran(config, scoring(40, 41), backends)
    found = written(root, "02-10")
    assert found["prediction"].tolist() == [1] * 20
    assert found[["probability_0", "probability_1", "probability_2"]].iloc[0].tolist() == [0.2, 0.5, 0.3]


def test_whole_numbers_with_holes_keep_their_type_and_their_version_in_pieces(
    scored_by, versions, backends, root
):
    rows = pd.concat([rows_of(root, 40, 41)] * 100, ignore_index=True)
    rows["visits"] = pd.array([None if index == 1_500 else index for index in range(len(rows))], "Int64")
    rows["id"] = np.arange(len(rows))
    (root / "many").mkdir()
    rows.to_parquet(root / "many" / "all.parquet")
    found = []
    for number, size in enumerate((1_000, 100_000)):
        source = {"type": "parquet", "path": "many/*.parquet"}
        config = scored_by(source=source, keep=["visits"], chunk_rows=size)
        found.append(ran(config, scoring(40, 41, run_id=f"s{number}"), backends).partitions[0].data_version)
        path = root / "predictions/churn/date=2024-02-10/predictions.parquet"
        assert str(pq.read_schema(path).field("visits").type) == "int64"
        assert written(root, "02-10")["visits"].isna().sum() == 1
    assert found[0] == found[1]


def test_a_column_that_changes_its_type_in_mid_partition_is_named(
    scored_by, versions, backends, tmp_path, monkeypatch
):
    (tmp_path / "mixed.py").write_text(
        "import pandas\n"
        "def rows(start, end):\n"
        "    for value in (1, 'two'):\n"
        "        yield pandas.DataFrame({'id': ['a'], 'at': [start], 'age': [0.0], 'spend': [0.0],\n"
        "            'plan': ['pro'], 'visits': [value]})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = scored_by(source={"type": "python", "callable": "mixed:rows"}, keep=["visits"])
    with pytest.raises(
        DataRefused, match="column 'visits' is int64 in the partition's first rows and string"
    ):
        ran(config, scoring(40, 41), backends)
