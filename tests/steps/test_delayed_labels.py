"""Labels that land late: what is known until then, and what happens when they do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.data_parquet import ParquetSource
from airflow_mlops.backends.datasets_parquet import ParquetDatasets
from airflow_mlops.core.window_scores import latest_scores
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.collect import collect
from airflow_mlops.steps.data_quality import data_quality
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.drift import drift
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.label_arrival import arrived_labels
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


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@pytest.fixture
def model(config, backends, make_run):
    """A champion trained as of day 40."""
    run = make_run(40)
    taken = snapshot(SnapshotRequest(config, run), backends)
    trained = train(TrainRequest(config, run, taken), backends)
    evaluation = evaluate(EvaluateRequest(config, run, taken, trained), backends)
    verdict = gate(GateRequest(config, run, taken, trained, evaluation), backends)
    version = register(RegisterRequest(config, run, taken, trained, evaluation, verdict), backends).version
    backends.tracking.set_alias("churn", "champion", version)
    return backends.tracking.load(f"models:/churn/{version}")


@pytest.fixture
def serve(model, root):
    """``serve(40, 50)``: these days were asked of the endpoint; the rows, with their true labels."""

    def make(first: int, last: int, change=lambda rows: rows) -> pd.DataFrame:
        rows = pd.read_parquet(root / "rows" / "all.parquet")
        rows = change(rows[(rows["at"] >= day(first)) & (rows["at"] < day(last))].copy())
        log = rows.drop(columns=["churned", "at", "id"]).assign(
            request_id=[f"q{number}" for number in range(len(rows))],
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
            prediction=model.predict(rows[["age", "spend", "plan"]]),
        )
        folder = root / "inference" / "churn" / "date=2025-01-01"
        folder.mkdir(parents=True, exist_ok=True)
        log.astype({"rollout_id": "string", "error": "string"}).to_parquet(folder / f"{first}.parquet")
        return rows.assign(request_id=log["request_id"])

    return make


@pytest.fixture
def land(root):
    """``land(rows)``: their labels are there now."""

    def make(rows: pd.DataFrame, name: str = "landed", **more) -> None:
        columns = [name for name in ("id", "request_id", "at", "churned") if name in rows]
        rows[columns].assign(**more).to_parquet(root / "labels" / f"{name}.parquet")

    return make


@pytest.fixture
def patient(config):
    """The model with settings of its own under ``monitor.labels`` and ``monitor.performance``; labels are
    waited for twenty years, since the made-up runs look back a year."""

    def make(labels=None, performance=None):
        monitor = config.monitor
        return config.model_copy(
            update={
                "monitor": monitor.model_copy(
                    update={
                        "labels": monitor.labels.model_copy(
                            update={"deadline": "7300 days", **(labels or {})}
                        ),
                        "performance": monitor.performance.model_copy(update=performance or {}),
                    }
                )
            }
        )

    return make


def look(config, run, backends) -> CollectedRequest:
    collected = collect(CollectRequest(config, run), backends)
    assert collected is not None
    return CollectedRequest(config, run, collected)


def monitor(config, run, backends):
    """The whole monitor run: performance's summary, and the decision."""
    asked = look(config, run, backends)
    report = performance(asked, backends)
    request = DecideRequest(
        config, run, asked.collected, data_quality(asked, backends), drift(asked, backends), report
    )
    return report.summary, decide(request, backends).decision


def flipped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(churned=1 - rows["churned"])


def test_a_decay_that_only_shows_when_labels_land_is_scored_then_and_is_in_the_ledger(
    patient, backends, make_run, serve, land
):
    config = patient()
    first = serve(40, 50)
    summary, decision = monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    assert (summary["outcome"], summary["labels"], summary["observed"]) == ("inconclusive", 0, None)
    assert decision.action == "keep"
    land(flipped(first))
    serve(50, 60)
    asked = look(config, make_run(60, dag="monitor", run_id="m2"), backends)
    report = performance(asked, backends)
    (again,) = report.summary["rescored"]
    assert (again["outcome"], again["labels"], again["coverage"]) == ("fail", 200, 1.0)
    assert again["window"] == [day(40).isoformat(), day(50).isoformat()]
    assert any("scored again on 200 labels" in reason for reason in report.summary["reasons"])
    (entry,) = (item for item in backends.ledger.entries("churn") if item.kind == "rescored")
    assert (entry.window.end, entry.version, entry.data["decayed"]) == (day(50), "1", True)
    assert (entry.data["labels_before"], entry.data["labels"]) == (0, 200)
    # A retry finds what the first try wrote, and writes nothing new.
    assert performance(asked, backends).summary["rescored"] == [again]
    assert sum(item.kind == "rescored" for item in backends.ledger.entries("churn")) == 1
    # What is complete is not looked at again.
    later = look(config, make_run(60, dag="monitor", run_id="m3"), backends)
    assert performance(later, backends).summary["rescored"] == []


def test_a_decay_that_only_shows_when_labels_land_asks_for_retraining(
    patient, backends, make_run, serve, land
):
    config = patient()
    first = serve(40, 50)
    monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    land(flipped(first))
    serve(50, 60)
    run = make_run(60, dag="monitor", run_id="m2")
    _, decision = monitor(config, run, backends)
    assert (decision.action, decision.cause) == ("retrain", "decay")
    assert "decay in 2024-02-10 to 2024-02-20, by labels that have landed since" in decision.reasons[0]
    assert monitor(config, run, backends)[1] == decision  # on a retry


def test_a_window_is_scored_again_only_when_more_labels_are_there(patient, backends, make_run, serve, land):
    config = patient()
    first, second = serve(40, 50), serve(50, 60)
    land(first.head(80))
    monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    assert monitor(config, make_run(60, dag="monitor", run_id="m2"), backends)[0]["rescored"] == []
    land(first.head(120))
    summary, _ = monitor(config, make_run(60, dag="monitor", run_id="m3"), backends)
    assert [again["labels"] for again in summary["rescored"]] == [120]
    known = latest_scores(backends.ledger.entries("churn"))
    assert [(score.labels, score.answers) for score in known] == [(120, 200), (0, 200)]
    land(pd.concat([first, second]))
    summary, _ = monitor(config, make_run(60, dag="monitor", run_id="m4"), backends)
    assert summary["watermark"] == day(60).isoformat()
    assert summary["coverage"] == 1.0


def test_after_its_deadline_a_window_is_complete_with_what_it_has(config, backends, make_run, serve, land):
    first = serve(40, 50)
    monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    land(first)
    serve(50, 60)
    summary, _ = monitor(config, make_run(60, dag="monitor", run_id="m2"), backends)  # a year later
    assert summary["rescored"] == []
    assert summary["watermark"] == day(60).isoformat()


def test_until_labels_land_an_estimate_is_near_the_truth_and_decides_nothing(
    patient, backends, make_run, serve, land
):
    config = patient()
    rows = serve(40, 60)
    run = replace(make_run(60, dag="monitor"), sources=make_run(50).sources)
    summary = performance(look(config, run, backends), backends).summary
    assert (summary["outcome"], summary["observed"]) == ("inconclusive", None)
    estimated = summary["estimated"]
    assert estimated["method"] == "CBPE"
    assert estimated["low"] < estimated["value"] < estimated["high"]
    land(rows)
    measured = performance(look(config, run, backends), backends).summary["observed"]
    assert estimated["value"] == pytest.approx(measured, abs=0.07)


def test_an_estimate_far_below_the_promise_is_no_decay(patient, backends, make_run, serve):
    config = patient()
    serve(40, 50, lambda rows: rows.assign(age=rows["age"] * 0.05))  # all look alike: no AUC to be had
    summary, decision = monitor(config, make_run(50, dag="monitor"), backends)
    assert summary["estimated"]["value"] < summary["promise"] - 0.1
    assert summary["outcome"] == "inconclusive"
    assert decision.cause != "decay"
    (entry,) = (item for item in backends.ledger.entries("churn") if item.kind == "monitored")
    assert entry.data["decayed"] is None
    assert entry.data["estimated"] == summary["estimated"]


def test_no_estimate_where_it_is_switched_off_and_a_reason_where_there_is_none_to_be_had(
    patient, backends, make_run, serve
):
    serve(40, 50)
    off = patient(performance={"estimate": False})
    summary = performance(look(off, make_run(50, dag="monitor"), backends), backends).summary
    assert (summary["estimated"], summary["notes"]) == (None, [])
    run_id = next(iter(backends.tracking.runs))
    del backends.tracking.runs[run_id]["files"]["predictions.parquet"]
    summary = performance(look(patient(), make_run(50, dag="monitor"), backends), backends).summary
    assert summary["estimated"] is None
    assert any("no holdout to calibrate by" in note for note in summary["notes"])


def test_labels_may_be_joined_by_the_id_of_the_request(patient, backends, make_run, serve, land, root):
    config = patient({"join": "request_id", "column": "answer_id"})
    rows = serve(40, 50)
    labels = rows[["request_id", "at", "churned"]].rename(columns={"request_id": "answer_id"})
    labels.head(150).to_parquet(root / "labels" / "landed.parquet")
    summary = performance(look(config, make_run(50, dag="monitor"), backends), backends).summary
    assert (summary["labels"], summary["answers"]) == (150, 200)
    assert summary["observed"] > 0.65  # each label found its own answer


def test_a_request_of_several_rows_is_joined_by_its_id_and_the_key(
    patient, backends, make_run, serve, land, root
):
    config = patient({"join": "request_id"})
    rows = serve(40, 50)
    path = root / "inference" / "churn" / "date=2025-01-01" / "40.parquet"
    log = pd.read_parquet(path)
    pairs = [f"q{number // 2}" for number in range(len(log))]
    log.assign(request_id=pairs).to_parquet(path)
    rows.assign(request_id=pairs).head(101).to_parquet(root / "labels" / "landed.parquet")
    summary = performance(look(config, make_run(50, dag="monitor"), backends), backends).summary
    assert summary["labels"] == 101
    assert summary["observed"] > 0.65


def test_labels_that_say_when_they_arrived_teach_how_long_labels_take(
    patient, backends, make_run, serve, land
):
    config = patient({"arrived_at": "arrived", "deadline": "30 days", "coverage": 1.0})
    waits = np.resize([1, 2, 3, 40], 200)  # days; one in four comes after the deadline

    def arrivals(rows):
        return rows["at"] + pd.to_timedelta(waits, unit="D")

    first = serve(40, 50)
    land(first, arrived=arrivals(first))
    run = make_run(50, dag="monitor", run_id="m1")
    summary, _ = monitor(config, replace(run, now=day(52)), backends)
    assert summary["labels"] == 150  # all that land within the window's deadline are read
    second = serve(50, 60)
    land(second, name="second", arrived=arrivals(second))
    run = make_run(60, dag="monitor", run_id="m2")
    summary, _ = monitor(config, replace(run, now=day(60)), backends)
    score = summary["score"]
    assert sum(count for _, count in score["landed"]) == 150
    assert [seconds // 86400 for seconds, _ in score["landed"]] == [1, 2, 3]
    assert 0.5 < summary["expected_coverage"] < 0.8


def test_a_label_that_was_corrected_counts_as_it_was_last_and_landed_when_it_was_first(
    patient, backends, make_run, serve, land
):
    config = patient({"arrived_at": "arrived", "deadline": "30 days"})
    rows = serve(40, 50)
    early, late = (rows["at"] + timedelta(days=wait) for wait in (1, 9))
    land(flipped(rows), name="early", arrived=early)
    land(rows, name="late", arrived=late)
    summary = performance(look(config, make_run(50, dag="monitor"), backends), backends).summary
    assert (summary["outcome"], summary["labels"]) == ("pass", 200)
    assert [seconds // 86400 for seconds, _ in summary["score"]["landed"]] == [1]


def test_labels_of_answers_unlike_the_others_are_warned_of(patient, backends, make_run, serve, land):
    rows = serve(40, 50)
    land(rows[rows["age"] > 0])
    report = performance(look(patient(), make_run(50, dag="monitor"), backends), backends)
    assert [said.split(":")[0] for said in report.summary["selection"]] == ["prediction", "age"]
    assert any("answers with a label are not like the others" in said for said in report.summary["reasons"])
    assert b"not like the others" in backends.store.local_path(report.uri).read_bytes()
    land(rows.sample(100, random_state=0))
    summary = performance(look(patient(), make_run(50, dag="monitor"), backends), backends).summary
    assert summary["selection"] == []


def test_a_share_of_labels_that_is_too_small_decides_nothing(patient, backends, make_run, serve, land):
    land(flipped(serve(40, 50)).head(100))
    config = patient(performance={"minimum_coverage": 0.6})
    summary = performance(look(config, make_run(50, dag="monitor"), backends), backends).summary
    assert summary["outcome"] == "inconclusive"
    assert "50% of the labels landed, monitor.performance.minimum_coverage asks for 60%" in summary["reasons"]
    assert summary["observed"] is not None


def test_neither_slices_nor_detectors_read_a_share_of_labels_that_is_too_small(
    patient, backends, make_run, serve, land
):
    slices = patient().monitor.performance.slices.model_copy(update={"by": (("plan",),), "minimum_rows": 20})
    land(flipped(serve(40, 50)).head(150))
    fair = patient(performance={"slices": slices, "batch_labels": 5})
    summary = performance(look(fair, make_run(50, dag="monitor"), backends), backends).summary
    assert [one["outcome"] for one in summary["slices"]] == ["fail", "fail"]
    unfair = patient(performance={"slices": slices, "batch_labels": 5, "minimum_coverage": 0.9})
    less = performance(look(unfair, make_run(50, dag="monitor"), backends), backends).summary
    assert less["slices"] == []
    assert less["detectors"][0]["batches"] < summary["detectors"][0]["batches"]


def test_an_earlier_version_that_was_deleted_stops_no_monitoring(
    patient, backends, make_run, serve, land, monkeypatch
):
    rows = serve(40, 50)
    monitor(patient(), make_run(50, dag="monitor", run_id="m1"), backends)
    land(rows)
    serve(50, 60)
    backends.tracking.versions.append(backends.tracking.versions[0])
    backends.tracking.set_alias("churn", "champion", "2")
    run_of = backends.tracking.run_of

    def without_the_first(model):
        if model.version == "1":
            raise ModelRefused("MLflow has no churn version 1")
        return run_of(model)

    monkeypatch.setattr(backends.tracking, "run_of", without_the_first)
    asked = look(patient(), make_run(60, dag="monitor", run_id="m2"), backends)
    summary = performance(asked, backends).summary
    assert summary["rescored"] == []


def test_a_slice_that_decays_alone_is_named(patient, backends, make_run, serve, land):
    slices = patient().monitor.performance.slices.model_copy(update={"by": (("plan",),), "minimum_rows": 50})
    rows = serve(40, 50)
    turned = np.where(rows["plan"] == "pro", 1 - rows["churned"], rows["churned"])
    land(rows.assign(churned=turned))
    config = patient(performance={"slices": slices})
    report = performance(look(config, make_run(50, dag="monitor"), backends), backends)
    worst, other = report.summary["slices"]
    assert (worst["slice"], worst["outcome"], other["outcome"]) == ("plan=pro", "fail", "pass")
    assert any(reason.startswith("slice plan=pro: ") for reason in report.summary["reasons"])
    page = backends.store.local_path(report.uri).read_text()
    assert "What slices lost against their own promise" in page


def test_a_loss_that_rises_for_good_is_signalled_by_a_detector_over_windows(
    patient, backends, make_run, serve, land
):
    config = patient(performance={"batch_labels": 10, "tolerance": 1.0})  # no verdict will fail
    calm, worse = serve(40, 50), serve(50, 60)
    land(pd.concat([calm, flipped(worse)]))
    summary, _ = monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    assert [one["state"] for one in summary["detectors"]] == ["quiet"]
    summary, decision = monitor(config, make_run(60, dag="monitor", run_id="m2"), backends)
    (signal,) = summary["detectors"]
    assert (signal["detector"], signal["state"], signal["batches"]) == ("adwin", "drift", 30)
    assert day(50) <= datetime.fromisoformat(signal["at"]) < day(60)
    assert summary["outcome"] == "pass"
    assert decision.cause != "decay"
    (_, entry) = (item for item in backends.ledger.entries("churn") if item.kind == "monitored")
    assert entry.data["detectors"] == summary["detectors"]


def test_the_page_draws_what_was_measured_otherwise_than_what_was_estimated(
    patient, backends, make_run, serve, land
):
    config = patient()
    land(serve(40, 50))
    monitor(config, make_run(50, dag="monitor", run_id="m1"), backends)
    serve(50, 60)
    report = performance(look(config, make_run(60, dag="monitor", run_id="m2"), backends), backends)
    page = backends.store.local_path(report.uri).read_text()
    assert page.count('fill="#ffffff"') == 2  # rings: an estimate for each window
    assert page.count('r="4" fill="#0969da"') == 1  # a dot: one window was measured
    assert "Estimated without labels (CBPE): roc_auc" in page
    assert "In 1 windows with both it was off by" in page
    assert "0 of 200 answers have a label" in page


def test_labels_that_stay_away_where_they_usually_are_there_are_called_late(
    patient, backends, make_run, serve, land
):
    config = patient({"arrived_at": "arrived", "deadline": "30 days"})
    rows = serve(40, 50)
    land(rows, arrived=rows["at"] + timedelta(days=1))
    monitor(config, replace(make_run(50, dag="monitor", run_id="m1"), now=day(51)), backends)
    serve(50, 60)
    late, _ = monitor(config, replace(make_run(60, dag="monitor", run_id="m2"), now=day(61)), backends)
    assert any("labels are late: 0% of the answers have one" in reason for reason in late["reasons"])


def test_what_has_arrived_is_counted_without_a_server(config, backends, make_run, serve, land):
    rows = serve(40, 50)
    land(rows.head(30))
    window = make_run(50).sources.params
    arrived = arrived_labels(config, config.monitor.labels, window, backends)
    assert (arrived.answers, arrived.labels, arrived.coverage) == (200, 30, 0.15)


def test_an_alarm_of_a_detector_is_raised_once_and_stands_in_later_runs_though_more_labels_land(
    patient, backends, make_run, serve, land
):
    config = patient(performance={"batch_labels": 10, "tolerance": 1.0})
    calm, worse = serve(30, 40), flipped(serve(40, 50))
    land(pd.concat([calm, worse.iloc[::2], worse.iloc[1:150:2]]))
    monitor(config, make_run(40, dag="monitor", run_id="m1"), backends)
    summary, _ = monitor(config, make_run(50, dag="monitor", run_id="m2"), backends)
    (first,) = summary["detectors"]
    assert first["state"] == "drift"
    serve(50, 60)
    land(pd.concat([calm, worse]))  # the rest: the window of the alarm is scored again
    run = make_run(60, dag="monitor", run_id="m3")
    for _ in range(2):  # and on a retry
        summary, _ = monitor(config, run, backends)
        assert len(summary["rescored"]) == 1
        (again,) = summary["detectors"]
        assert (again["state"], again["earlier"]) == ("quiet", 1)
        assert again["standing"] is not None
        assert not any("the loss has risen" in reason for reason in summary["reasons"])


def blind(rows: pd.DataFrame) -> pd.DataFrame:
    """Every other label is turned: nothing is to be told from the features."""
    return rows.assign(churned=np.where(np.arange(len(rows)) % 2, rows["churned"], 1 - rows["churned"]))


def test_a_decay_that_is_sure_at_one_look_is_not_sure_enough_at_one_of_many(
    patient, backends, make_run, serve, land
):
    rows = serve(40, 50)
    land(blind(rows).head(60))
    alone = patient({"coverage": 0.3}, {"tolerance": 0.1})  # complete: no look comes after this one
    many = patient(performance={"tolerance": 0.1})
    said = {}
    for name, config in (("alone", alone), ("many", many)):
        run = make_run(50, dag="monitor", run_id=name)
        said[name] = performance(look(config, run, backends), backends).summary
    assert (said["alone"]["outcome"], said["many"]["outcome"]) == ("fail", "inconclusive")
    assert "before all labels are there must be" in said["many"]["reasons"][0]


def test_at_its_deadline_a_window_is_looked_at_a_last_time_and_then_no_more(
    patient, backends, make_run, serve, land
):
    rows = serve(20, 30)
    land(blind(rows).head(60))
    config = patient({"deadline": "15 days"})

    def at(number: int):
        return replace(make_run(number, dag="monitor", run_id=f"m{number}"), now=day(number))

    first, _ = monitor(config, at(30), backends)
    assert first["outcome"] == "inconclusive"
    serve(30, 40)
    assert monitor(config, at(40), backends)[0]["rescored"] == []
    serve(40, 50)
    (again,) = monitor(config, at(50), backends)[0]["rescored"]
    assert (again["labels"], again["outcome"]) == (60, "fail")
    serve(50, 60)
    assert monitor(config, at(60), backends)[0]["rescored"] == []


def test_labels_with_the_moment_they_landed_are_read_once_however_many_windows_wait(
    patient, backends, make_run, serve, land, monkeypatch
):
    config = patient({"arrived_at": "arrived", "deadline": "90 days"})
    for number in (20, 30, 40):  # half of the labels do not come
        rows = serve(number - 10, number)
        land(rows.head(100), name=f"{number}", arrived=rows["at"].head(100) + timedelta(days=1))
        run = make_run(number, dag="monitor", run_id=f"m{number}")
        monitor(config, replace(run, now=day(number + 2)), backends)
    serve(40, 50)
    spans, read = [], ParquetSource.read

    def counted(self, window, **given):
        if "arrived" in given["columns"]:
            spans.append(window)
        return read(self, window, **given)

    monkeypatch.setattr(ParquetSource, "read", counted)
    run = replace(make_run(50, dag="monitor", run_id="m50"), now=day(50))
    summary = performance(look(config, run, backends), backends).summary
    assert spans == [Window(day(10) - timedelta(hours=1), day(50) + timedelta(days=90))]
    assert summary["watermark"] is None


def test_of_a_window_only_the_columns_are_read_that_are_scored(
    patient, backends, make_run, serve, land, monkeypatch
):
    slices = patient().monitor.performance.slices.model_copy(update={"by": (("plan",),), "minimum_rows": 20})
    land(serve(40, 50).head(150))
    asked, load = [], ParquetDatasets.load_frame

    def recorded(self, uri, columns=None):
        if "collected/" in uri:
            asked.append(columns)
        return load(self, uri, columns)

    monkeypatch.setattr(ParquetDatasets, "load_frame", recorded)
    config = patient(performance={"slices": slices})
    report = performance(look(config, make_run(50, dag="monitor"), backends), backends)
    assert asked == [["key", "version", "event_time", "prediction", "plan"]]
    assert len(report.summary["slices"]) == 2
    by_request = patient({"join": "request_id", "column": "request_id"})
    performance(look(by_request, make_run(50, dag="monitor"), backends), backends)
    assert asked[1] == ["request_id", "key", "version", "event_time", "prediction"]


def test_of_an_earlier_window_less_is_read_until_labels_have_landed(
    patient, backends, make_run, serve, land, monkeypatch
):
    first = serve(40, 50)
    monitor(patient(), make_run(50, dag="monitor", run_id="m1"), backends)
    serve(50, 60)
    asked, load = [], ParquetDatasets.load_frame

    def recorded(self, uri, columns=None):
        if f"{day(40):%Y%m%d}T000000-" in uri:
            asked.append(columns)
        return load(self, uri, columns)

    monkeypatch.setattr(ParquetDatasets, "load_frame", recorded)
    performance(look(patient(), make_run(60, dag="monitor", run_id="m2"), backends), backends)
    assert asked == [["key", "version"]]
    land(first)
    performance(look(patient(), make_run(60, dag="monitor", run_id="m2"), backends), backends)
    assert asked[1:] == [["key", "version"], ["key", "version", "event_time", "prediction"]]
