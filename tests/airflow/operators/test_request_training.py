"""The request for training: a run of the train DAG that carries its cause, and an event for the others."""

from __future__ import annotations

import re

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from airflow_mlops.operators import RequestTrainingOperator
from airflow_mlops.operators.request_training import LONGEST_NOTE

DECIDED = {
    "config": "d1",
    "decision": {
        "action": "retrain",
        "cause": "decay",
        "also": ["drift"],
        "reasons": ["decay in 2026-05-01 to 2026-05-02: 2 of the last 3 windows bad", "roc_auc 0.61"],
        "not_before": None,
    },
    "window": {"start": "2026-05-01T00:00:00Z", "end": "2026-05-02T00:00:00Z"},
    "request_id": "0123456789abcdef",
    "summary": {"drift_share": 0.4, "columns": {"age": 0.31}},
    "evidence": {"drift": "file:///drift.html"},
}


def requested(make_context, decided, *outlets, runs=None):
    """The run that Airflow is asked to make, and the context with its events. ``runs`` are there already."""
    context = make_context()
    context["ti"].runs.update(runs or {})
    operator = RequestTrainingOperator(
        task_id="request", value=decided, train_dag_id="churn.train", outlets=list(outlets)
    )
    with pytest.raises(DagRunTriggerException) as asked:
        operator.execute(context)
    return asked.value, context


def test_the_cause_is_in_the_conf_and_in_the_note_of_a_run_that_is_named_after_the_request(make_context):
    asked, _ = requested(make_context, DECIDED)
    assert (asked.trigger_dag_id, asked.dag_run_id) == ("churn.train", "retrain__2026-05-02T00:00__01234567")
    assert asked.skip_when_already_exists
    assert asked.conf == {
        "request": "0123456789abcdef",
        "cause": "decay",
        "also": ["drift"],
        "window": DECIDED["window"],
        "reasons": DECIDED["decision"]["reasons"],
        "scores": DECIDED["summary"],
        "reports": {"drift": "file:///drift.html"},
    }
    assert asked.note.splitlines()[0] == "**Retraining because of decay and drift**"
    assert "- roc_auc 0.61" in asked.note


def test_the_run_has_no_logical_date_from_which_a_window_would_be_inferred(make_context):
    asked, _ = requested(make_context, DECIDED)
    assert asked.logical_date is None
    assert asked.run_after is not None


def test_in_quiet_hours_the_run_waits_in_airflows_queue_for_their_end(make_context):
    decision = DECIDED["decision"] | {"not_before": "2026-05-02T18:00:00Z"}
    asked, _ = requested(make_context, DECIDED | {"decision": decision})
    assert asked.run_after.isoformat() == "2026-05-02T18:00:00+00:00"


def test_whoever_else_listens_is_told_of_cause_windows_features_and_scores(make_context):
    asset = Asset("churn/retrain")
    _, context = requested(make_context, DECIDED, asset)
    told = context["outlet_events"][asset].extra
    assert told["decision"]["cause"] == "decay"
    assert (told["window"], told["summary"]["columns"]) == (DECIDED["window"], {"age": 0.31})
    assert "config" not in told


def test_a_note_is_cut_where_airflow_would_refuse_it(make_context):
    decision = DECIDED["decision"] | {"reasons": ["drift " * 500]}
    asked, _ = requested(make_context, DECIDED | {"decision": decision})
    assert len(asked.note) == LONGEST_NOTE
    assert asked.note.endswith(" ...")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "nothing was decided upstream"),
        ({"decision": {"action": "keep", "reasons": ["no drift"]}}, "the decision was to keep: no drift"),
        (
            {"decision": {"action": "refuse", "reasons": ["cool-down"]}},
            "the decision was to refuse: cool-down",
        ),
    ],
)
def test_nothing_is_started_unless_the_decision_was_to_retrain(make_context, value, reason):
    operator = RequestTrainingOperator(task_id="request", value=value, train_dag_id="churn.train")
    with pytest.raises(AirflowSkipException, match=re.escape(reason)):
        operator.execute(make_context())


def test_a_request_whose_run_never_came_is_asked_for_again_by_the_same_name(make_context):
    refused = {"decision": {"action": "refuse", "reasons": ["a request is already open"]}, "waiting": DECIDED}
    asset = Asset("churn/retrain")
    asked, context = requested(make_context, refused, asset)
    first, _ = requested(make_context, DECIDED)
    assert (asked.dag_run_id, asked.conf, asked.note) == (first.dag_run_id, first.conf, first.note)
    assert context["outlet_events"][asset].extra["decision"]["cause"] == "decay"
    of_its_own, _ = requested(make_context, {**DECIDED, "waiting": {**DECIDED, "request_id": "another"}})
    assert of_its_own.dag_run_id == first.dag_run_id


@pytest.mark.parametrize(
    ("runs", "suffix"),
    [
        (("queued",), ""),
        (("running",), ""),
        (("failed",), "__2"),
        (("failed", "success"), "__3"),
        (("failed", "queued"), "__2"),
    ],
)
def test_a_request_whose_run_ended_without_taking_it_gets_another_one(make_context, runs, suffix):
    name = "retrain__2026-05-02T00:00__01234567"
    there = {name if place == 1 else f"{name}__{place}": state for place, state in enumerate(runs, 1)}
    refused = {"decision": {"action": "refuse", "reasons": ["a request is already open"]}, "waiting": DECIDED}
    asked, _ = requested(make_context, refused, runs=there)
    assert (asked.dag_run_id, asked.conf["request"]) == (name + suffix, "0123456789abcdef")
    again, _ = requested(make_context, DECIDED, runs=there)
    assert again.dag_run_id == name  # a repeat of the monitor's own run starts no other


def test_a_request_that_no_run_could_take_does_not_start_runs_without_end(make_context):
    name = "retrain__2026-05-02T00:00__01234567"
    there = {name: "failed", **{f"{name}__{again}": "failed" for again in range(2, 51)}}
    refused = {"decision": {"action": "refuse", "reasons": ["a request is already open"]}, "waiting": DECIDED}
    operator = RequestTrainingOperator(task_id="request", value=refused, train_dag_id="churn.train")
    context = make_context()
    context["ti"].runs.update(there)
    with pytest.raises(AirflowSkipException, match=r"50 runs of .* ended before they took the request"):
        operator.execute(context)
