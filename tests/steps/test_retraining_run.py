"""From a request to its training and back: causes, what is recorded, and whether the cause is gone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.config.parts.retraining import Breaker, QuietHours, Retraining
from airflow_mlops.config.parts.schedule import Schedule
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef, Report
from airflow_mlops.core.windows import Window, WindowSources
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.decide import decide
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    Collected,
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
QUICK = Retraining(enabled=True, causes=("drift", "decay"), k=1, n=1, cooldown="1 day", budget=12)


@pytest.fixture
def trained(backends):
    """``trained(config, run)``: a training run from its snapshot to a version that is promoted."""

    def make(config, run):
        taken = snapshot(SnapshotRequest(config, run), backends)
        training = train(TrainRequest(config, run, taken), backends)
        evaluation = evaluate(EvaluateRequest(config, run, taken, training), backends)
        verdict = gate(GateRequest(config, run, taken, training, evaluation), backends)
        model = register(RegisterRequest(config, run, taken, training, evaluation, verdict), backends)
        backends.tracking.set_alias("churn", "champion", model.version)
        backends.ledger.append(
            Entry("churn", "promoted", model.version, run.now, "churn.deploy", f"deploys {model.version}")
        )
        return taken, model

    return make


@pytest.fixture
def monitored(backends, make_run):
    """``monitored(config, day, version)``: what is decided on the ten days up to that day."""
    numbers = itertools.count()

    def look(
        config, day, version, *, drifted=False, outcome="pass", run_id=None, fault=None, rows=200, **of_run
    ):
        window = Window(START + timedelta(days=day - 10), START + timedelta(days=day))
        collected = Collected(window, "file:///log.parquet", rows, ModelRef("churn", version))
        summary = {"drifted": drifted, "share": 0.5 * drifted, "reasons": [], "columns": {"age": 0.4}}
        run = make_run(day, dag="churn.monitor", run_id=run_id or f"look {next(numbers)}", **of_run)
        return decide(
            DecideRequest(
                config,
                run,
                collected,
                Report("data_quality", "file:///quality.html", {"upstream_fault": fault}),
                Report("drift", "file:///drift.html", summary),
                Report("performance", "file:///performance.html", {"outcome": outcome, "reasons": ["auc"]}),
            ),
            backends,
        )

    return look


def of(backends, *kinds):
    return [item for item in backends.ledger.entries("churn") if item.kind in kinds]


@pytest.mark.parametrize(("drifts_on", "gone"), [(False, True), (True, False)])
def test_after_a_retraining_monitoring_says_whether_its_cause_is_gone(
    config, backends, make_run, trained, monitored, drifts_on, gone
):
    config = config.model_copy(update={"retraining": QUICK})
    trained(config, make_run(30, run_id="first"))
    asked = monitored(config, 40, "1", drifted=True)
    assert asked.decision.action == "retrain"
    assert asked.evidence["drift"] == "file:///drift.html"
    assert asked.summary["columns"] == {"age": 0.4}

    by_request = replace(make_run(40, run_id="retrain"), request=asked.request_id)
    taken, model = trained(config, by_request)
    assert (taken.kinds, taken.requests) == (("drift",), (asked.request_id,))
    assert "Cause: drift." in backends.tracking.runs["run-churn.train|retrain|-1"]["description"]

    seen = monitored(config, 50, model.version, drifted=drifts_on, run_id="after")
    again = monitored(config, 50, model.version, drifted=drifts_on, run_id="after")
    assert again == seen
    (check,) = seen.checks
    became = "is gone since version 2" if gone else "is still there with version 2"
    assert (check.gone, check.reasons[0]) == (gone, f"drift of 2024-02-10 {became}")
    (entry,) = of(backends, "cause_checked")
    assert (entry.subject, entry.version, entry.data["gone"]) == (asked.request_id, "2", gone)
    assert became.encode() in backends.store.local_path(seen.report.uri).read_bytes()


@pytest.mark.parametrize(
    ("kind", "day", "why"),
    [
        ("backfill", 60, "but a backfill looks at a past that no training can mend"),
        (
            "manual",
            35,
            "but a later window, to 2024-02-20 00:00, was monitored already: what it showed decides",
        ),
    ],
)
def test_a_window_of_the_past_is_written_down_and_starts_no_training(
    config, backends, make_run, trained, monitored, kind, day, why
):
    config = config.model_copy(update={"retraining": QUICK})
    trained(config, make_run(20, run_id="first"))
    assert [monitored(config, good, "1").decision.action for good in (30, 40, 50)] == ["keep"] * 3
    looked = monitored(config, day, "1", drifted=True, kind=kind, run_id="back")
    assert looked.decision.action == "refuse"
    assert looked.decision.reasons[0].endswith(why)
    assert looked.request_id is None
    (seen,) = [item for item in of(backends, "monitored") if item.run_id == "back"]
    assert seen.data["drifted"] is True
    assert not of(backends, "retrain_requested")
    assert monitored(config, 70, "1", drifted=True).decision.action == "retrain"


def test_a_window_that_is_monitored_again_after_its_training_asks_for_no_other(
    config, backends, make_run, trained, monitored
):
    config = config.model_copy(update={"retraining": QUICK.model_copy(update={"cooldown": "30 days"})})
    trained(config, make_run(20, run_id="first"))
    asked = monitored(config, 60, "1", drifted=True, run_id="look")
    assert monitored(config, 60, "1", drifted=True, run_id="look") == asked  # a retry
    waits = monitored(config, 60, "1", drifted=True, run_id="by hand, before it was taken")
    assert (waits.decision.action, waits.request_id) == ("refuse", None)
    _, model = trained(config, replace(make_run(60, run_id="retrain"), request=asked.request_id))
    for run_id in ("look", "by hand, afterwards"):
        again = monitored(config, 60, model.version, drifted=True, run_id=run_id)
        assert (again.decision.action, again.request_id) == ("refuse", None), again
    assert len(of(backends, "retrain_requested")) == 1


def test_the_breaker_opens_in_the_run_that_finds_the_cause_to_be_there_still(
    config, backends, make_run, trained, monitored
):
    policy = QUICK.model_copy(update={"breaker": Breaker(after=1), "cooldown": "1 day"})
    config = config.model_copy(update={"retraining": policy})
    trained(config, make_run(20, run_id="first"))
    asked = monitored(config, 40, "1", drifted=True, rows=5_000)
    _, model = trained(config, replace(make_run(40, run_id="retrain"), request=asked.request_id))
    seen = monitored(config, 50, model.version, drifted=True, rows=5_000)
    assert [check.gone for check in seen.checks] == [False]
    assert seen.decision.action == "refuse"
    assert "circuit breaker" in seen.decision.reasons[0]


def test_a_request_that_still_waits_is_asked_for_again_for_the_end_of_the_quiet_hours(
    config, backends, make_run, trained, monitored
):
    config = config.model_copy(update={"retraining": QUICK})
    trained(config, make_run(20, run_id="first"))
    asked = monitored(config, 40, "1", drifted=True)
    assert asked.decision.not_before is None
    quiet = QUICK.model_copy(update={"quiet": (QuietHours(hours="00:00-06:00"),)})
    config = config.model_copy(update={"retraining": quiet})
    again = monitored(config, 50, "1", drifted=True)
    assert (again.decision.action, again.waiting.request_id) == ("refuse", asked.request_id)
    assert again.waiting.decision.not_before.hour == 6


def test_a_request_that_another_run_has_taken_starts_no_second_training(
    config, backends, make_run, monitored, trained
):
    config = config.model_copy(update={"retraining": QUICK})
    trained(config, make_run(30, run_id="first"))
    asked = monitored(config, 40, "1", drifted=True)
    scheduled = snapshot(SnapshotRequest(config, make_run(40, kind="scheduled", run_id="cron")), backends)
    assert scheduled.kinds == ("schedule", "drift")
    late = replace(make_run(40, run_id="retrain"), request=asked.request_id)
    assert snapshot(SnapshotRequest(config, late), backends) is None


def test_every_training_is_recorded_with_its_causes_and_starts_the_cool_down(
    config, backends, make_run, monitored, trained
):
    config = config.model_copy(update={"retraining": QUICK.model_copy(update={"cooldown": "14 days"})})
    trained(config, make_run(30, run_id="first"))
    new_data = replace(make_run(40, kind="asset", run_id="data"), woken_by=("raw/customers",))
    snapshot(SnapshotRequest(config, new_data), backends)
    snapshot(SnapshotRequest(config, make_run(35, kind="backfill", run_id="back")), backends)
    begun = [item.data["causes"] for item in of(backends, "training_begun")]
    assert begun == [["by_hand"], ["new_data"]]
    refused = monitored(config, 50, "1", drifted=True).decision
    assert refused.action == "refuse"
    assert refused.reasons[0].endswith(
        "but the last training was at 2024-02-10: 14 days of cool-down last until 2024-02-24"
    )


def test_new_data_that_come_too_soon_are_held_back_where_the_policy_says_so(
    config, backends, make_run, trained
):
    held = QUICK.model_copy(update={"cooldown": "14 days", "hold_back": ("new_data",)})
    config = config.model_copy(update={"retraining": held, "schedule": Schedule(start=START)})
    trained(config, make_run(30, run_id="first"))
    new_data = replace(make_run(40, kind="asset", run_id="data"), woken_by=("raw/customers",))
    assert snapshot(SnapshotRequest(config, new_data), backends) is None
    (refused,) = of(backends, "retrain_refused")
    assert refused.reasons[0].startswith("new data, but the last training was at 2024-01-31")
    assert snapshot(SnapshotRequest(config, make_run(40, run_id="by hand")), backends) is not None


def test_another_recipe_asks_once_for_training_and_a_cosmetic_edit_does_not(
    config, backends, make_run, monitored, trained
):
    policy = QUICK.model_copy(update={"causes": ("config",)})
    config = config.model_copy(update={"retraining": policy})
    trained(config, make_run(30, run_id="first"))
    cosmetic = config.model_copy(update={"description": "another one", "owner": "somebody"})
    assert monitored(cosmetic, 40, "1").decision.action == "keep"
    training = config.training.model_copy(update={"params": {"C": 0.5}})
    changed = config.model_copy(update={"training": training})
    asked = monitored(changed, 41, "1").decision
    assert (asked.action, asked.cause) == ("retrain", "config")
    held = make_run(41, run_id="retrain")
    snapshot(SnapshotRequest(changed, replace(held, request="x")), backends)
    judged = Entry(
        "churn", "gated", "run", held.now, held.key.dag_id, held.key.run_id, data={"outcome": "fail"}
    )
    backends.ledger.append(judged)
    assert monitored(changed, 55, "1").decision.action == "keep"


@pytest.mark.parametrize("kind", ["manual", "backfill"])
def test_a_window_from_the_future_is_refused_before_anything_is_taken(
    config, backends, make_run, monitored, trained, kind
):
    config = config.model_copy(update={"retraining": QUICK})
    trained(config, make_run(30, run_id="first"))
    monitored(config, 40, "1", drifted=True)
    run = make_run(40, kind=kind, run_id="future")
    begins = Window(run.now + timedelta(days=1), run.now + timedelta(days=2))
    sources = {"manual": {"params": Window(START, begins.end)}, "backfill": {"data_interval": begins}}[kind]
    late = replace(run, sources=WindowSources(**sources))
    with pytest.raises(DataRefused, match="no row has come from the future"):
        snapshot(SnapshotRequest(config, late), backends)
    assert of(backends, "retrain_taken") == []
    of_now = WindowSources(partition=Window(START, START + timedelta(days=60)))
    lasts = replace(run, sources=of_now, now=START + timedelta(days=59))
    assert snapshot(SnapshotRequest(config, lasts), backends) is not None


def test_an_old_champion_is_a_cause_without_any_bad_window(config, backends, make_run, monitored, trained):
    policy = QUICK.model_copy(update={"causes": ("age",), "maximum_age": "20 days"})
    config = config.model_copy(update={"retraining": policy})
    trained(config, make_run(30, run_id="first"))
    assert monitored(config, 45, "1").decision.action == "keep"
    asked = monitored(config, 50, "1").decision
    assert (asked.action, asked.cause) == ("retrain", "age")
    assert asked.reasons[0] == "the champion's data end at 2024-01-31, more than 20 days ago"
