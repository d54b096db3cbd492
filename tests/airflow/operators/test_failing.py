"""A task that fails says why and what to do; one that fails so again and again stops the runs."""

from __future__ import annotations

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from airflow_mlops.exceptions import BackendUnavailable, DataRefused
from airflow_mlops.notifications.catalog import FAILED
from airflow_mlops.operators import SnapshotOperator, ValidateDataOperator
from airflow_mlops.operators.failing import NoteFailure, NoteRecovery, failure, skip_where_stopped
from airflow_mlops.operators.other_python import StepFailed
from airflow_mlops.steps import catalog as steps


@pytest.fixture
def healing(config):
    part = config.healing.model_copy(update={"enabled": True, "stop_after": 2})
    return config.model_copy(update={"healing": part})


@pytest.fixture
def step(monkeypatch):
    """``step(value)``: every step gives this value, or raises it."""

    def stand_in(value):
        def run_step(name, request, backends):
            if isinstance(value, Exception):
                raise value
            return value

        monkeypatch.setattr(steps, "run_step", run_step)

    return stand_in


def run(operator, context, raises=None):
    """As Airflow does it: the callback of a task that failed for good comes after it."""
    if raises is None:
        found = operator.execute(context)
        NoteRecovery(model="churn")(context | {"task": operator})
        return found
    with pytest.raises(raises) as failed:
        operator.execute(context)
    context |= {"task": operator, "exception": failed.value}
    NoteFailure(model="churn", stop_after=2)(context)
    return failed.value


def test_the_cause_and_the_next_step_stand_in_log_xcom_ledger_and_alert(
    backends, healing, make_context, step
):
    step(DataRefused("the feed of age is broken, on 99 rows"))
    operator, context = ValidateDataOperator(task_id="validate", model=healing, snapshot={}), make_context()
    run(operator, context, AirflowFailException)
    assert context["ti"].pushed["failure"]["cause"] == "data"
    assert "mend the data" in context["ti"].pushed["failure"]["next_step"]
    assert operator.failure_said.startswith("Cause: data (DataRefused). Next: mend the data")
    (entry,) = backends.entries()
    assert (entry.kind, entry.subject, entry.data["cause"]) == ("failed", "validate", "data")
    assert entry.reasons == ("the feed of age is broken, on 99 rows",)
    said = BaseOperator(task_id="x").get_template_env().from_string(FAILED).render(context)
    assert "Cause: data (DataRefused)" in said


def test_a_task_of_somebody_else_is_told_of_without_a_cause(make_context):
    context = {**make_context(), "task": BaseOperator(task_id="x")}
    said = BaseOperator(task_id="x").get_template_env().from_string(FAILED).render(context)
    assert "Cause" not in said


def test_a_step_that_fails_the_same_way_holds_automatic_runs_until_it_is_mended(
    backends, healing, make_context, step
):
    def snapshot():
        return SnapshotOperator(task_id="snapshot", model=healing)

    def validate():
        return ValidateDataOperator(task_id="validate", model=healing, snapshot={})

    step(DataRefused("the feed of age is broken, on 99 rows"))
    run(validate(), make_context("scheduled", run_id="r1"), AirflowFailException)
    step(DataRefused("the feed of age is broken, on 100 rows"))
    last = validate()
    run(last, make_context("scheduled", run_id="r2"), AirflowFailException)
    assert "validate has failed the same way in 2 runs in a row" in last.failure_said
    assert [entry.kind for entry in backends.entries()] == ["failed", "failed", "stopped"]

    step({"uri": "u", "kind": "validation", "summary": {}})
    with pytest.raises(AirflowSkipException, match=r"held: validate has failed the same way in 2 runs"):
        run(snapshot(), make_context("scheduled", run_id="r3"))
    with pytest.raises(AirflowSkipException, match="held"):
        run(snapshot(), make_context("manual", run_id="r3", conf={"request": "q1"}))
    by_hand = make_context("manual", run_id="r4")
    run(snapshot(), by_hand)
    run(validate(), by_hand)
    assert [entry.kind for entry in backends.entries()][-1] == "recovered"
    run(snapshot(), make_context("scheduled", run_id="r5"))


@pytest.mark.parametrize(("index", "kinds"), [(0, ["failed"]), (1, ["failed", "recovered"])])
def test_one_worker_of_a_search_says_nothing_about_another(backends, make_context, index, kinds):
    task = BaseOperator(task_id="search")
    failed, over = make_context(run_id="r1"), make_context(run_id="r2")
    failed["ti"].map_index, over["ti"].map_index = 1, index
    NoteFailure(model="churn", stop_after=2)(failed | {"task": task, "exception": KeyError("age")})
    NoteRecovery(model="churn")(over | {"task": task})
    assert [entry.kind for entry in backends.entries()] == kinds
    assert backends.entries()[0].subject == "search[1]"


def test_a_step_in_another_python_fails_for_the_cause_it_has_there():
    error = StepFailed("the training rows have 'Ada'", kind="DataRefused")
    found = failure("validate", error)
    assert (found.cause, found.error, found.said) == ("data", "DataRefused", "")


def test_a_task_that_was_killed_is_noted_and_stops_its_runs_like_any_other(backends, make_context):
    task = BaseOperator(task_id="train")
    for run_id in ("r1", "r2"):
        context = make_context("scheduled", run_id=run_id)
        NoteFailure(model="churn", stop_after=2)(context | {"task": task})
    assert [entry.kind for entry in backends.entries()] == ["failed", "failed", "stopped"]
    assert (backends.entries()[0].data["cause"], backends.entries()[0].data["error"]) == (
        "infrastructure",
        "TaskKilled",
    )


def test_a_task_that_runs_no_step_gets_past_its_failures_too(backends, make_context):
    task = BaseOperator(task_id="request_retraining")
    for run_id in ("r1", "r2"):
        context = make_context("scheduled", run_id=run_id)
        NoteFailure(model="churn", stop_after=2)(context | {"task": task, "exception": KeyError("dag")})
    NoteRecovery(model="churn")(make_context("manual", run_id="r3") | {"task": task})
    assert [entry.kind for entry in backends.entries()] == ["failed", "failed", "stopped", "recovered"]
    skip_where_stopped("churn.train", "churn", 2, backends)


def test_below_level_3_nothing_is_held_or_noted(backends, config, make_context, step):
    step({"uri": "u", "kind": "validation", "summary": {}})
    run(ValidateDataOperator(task_id="validate", model=config, snapshot={}), make_context())
    assert backends.entries() == []


def test_a_store_that_is_away_does_not_hide_the_failure(backends, healing, make_context, step, monkeypatch):
    step(BackendUnavailable("MLflow does not answer"))
    monkeypatch.setattr(
        "airflow_mlops.hooks.backends.connect_store", lambda: (_ for _ in ()).throw(OSError("away"))
    )
    operator = ValidateDataOperator(task_id="validate", model=healing, snapshot={})
    error = run(operator, make_context(), AirflowException)
    assert "MLflow does not answer" in str(error)
    assert "Cause: infrastructure" in operator.failure_said
