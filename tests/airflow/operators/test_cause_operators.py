"""Operators of causes: what is announced, what is taken, and when they are skipped."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.core.ledger import pending_requests
from airflow_mlops.operators import AnnounceCauseOperator, TakeCausesOperator

COLLECTED = {
    "window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"},
    "uri": "file:///rows.parquet",
    "rows": 900,
    "champion": {"name": "churn", "version": "1", "url": None},
}
QUALITY = {"kind": "data_quality", "uri": "file:///quality.html", "summary": {"upstream_fault": None}}
DRIFT = {
    "kind": "drift",
    "uri": "file:///drift.html",
    "summary": {"drifted": True, "share": 0.5, "reasons": ["age moved"], "columns": {"age": 0.4}},
}


@pytest.fixture
def announce(backends, config, make_context):
    def run(report=DRIFT, quality=QUALITY, run_type="scheduled", run_id="r1"):
        operator = AnnounceCauseOperator(
            task_id="announce_drift",
            model=config,
            cause="drift",
            collected=COLLECTED,
            quality=quality,
            report=report,
            outlets=[Asset("churn/drift")],
        )
        context = make_context(run_type, dag_id="churn.monitor", run_id=run_id)
        found = operator.execute(context)
        return found, context["outlet_events"][Asset("churn/drift")].extra

    return run


def take(context, **options):
    return TakeCausesOperator(task_id="take", model="churn", **options).execute(context)


def test_the_event_of_a_drift_carries_its_cause(announce):
    found, extra = announce()
    (cause,) = extra["causes"]
    assert cause["reports"] == ["file:///drift.html"]
    assert (cause["features"], cause["scores"]) == (["age"], {"age": 0.4})
    assert cause["window"] == COLLECTED["window"]
    assert (extra["model"], extra["reasons"]) == ("churn", ["age moved"])
    assert extra == {name: value for name, value in found.items() if name != "config"}


def test_no_drift_or_broken_data_or_a_backfill_is_no_event(announce):
    quiet = {**DRIFT, "summary": {**DRIFT["summary"], "drifted": False}}
    broken = {**QUALITY, "summary": {"upstream_fault": "spend is all null"}}
    for given in ({"report": quiet}, {"quality": broken}, {"run_type": "backfill"}, {"report": None}):
        with pytest.raises(AirflowSkipException, match="nothing to do"):
            announce(**given)
    found, _ = announce(quality=None)
    assert found["causes"][0]["cause"] == "drift"


def test_a_dag_takes_all_that_is_pending_once_and_is_skipped_when_it_is_woken_again(announce, make_context):
    announce()
    context = make_context("asset_triggered", dag_id="act", run_id="r1")
    taken = take(context)
    assert taken["model"] == "churn"
    assert taken["reasons"] == ["age moved"]
    assert [cause["cause"] for cause in taken["causes"]] == ["drift"]
    assert take(context) == taken, "a retry finds what it took"
    with pytest.raises(AirflowSkipException, match="no drift or decay of churn is pending for act"):
        take(make_context(dag_id="act", run_id="r2"))
    assert take(make_context(dag_id="another", run_id="r2"))["causes"] == taken["causes"]
    shared = {"consumer": "act"}
    with pytest.raises(AirflowSkipException):
        take(make_context(dag_id="third", run_id="r2"), **shared)


def test_a_dag_that_trains_takes_the_requests_of_the_policy(backends, make_context):
    from airflow_mlops.core.ledger import Entry

    at = make_context()["dag_run"].run_after
    backends.ledger.append(
        Entry("churn", "retrain_requested", "q1", at, "churn.monitor", "r1", reasons=("drift in 2 of 3",))
    )
    taken = take(make_context(dag_id="my_training", run_id="r1"), causes=["retrain"])
    assert (taken["causes"][0]["subject"], taken["reasons"]) == ("q1", ["drift in 2 of 3"])
    assert pending_requests(backends.ledger.entries("churn")) == []


def test_an_unknown_cause_is_refused_where_the_dag_is_written():
    with pytest.raises(ValueError, match="no such cause: drfit; there are drift, decay and retrain"):
        TakeCausesOperator(task_id="take", model="churn", causes=["drfit"])
