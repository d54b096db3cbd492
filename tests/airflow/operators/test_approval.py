"""Approval: what a person is shown, whose answer counts, and what is written down of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.operators.approval import ApproveRolloutOperator

UTC = timezone.utc
PASSED = {"outcome": "pass", "reasons": ["all is well"]}
HELD = {"outcome": "fail", "reasons": ["150 of 200 rows failed"]}
EVALUATION = {
    "rows": 1234,
    "confidence": 0.95,
    "challenger": {"roc_auc": {"value": 0.71, "low": 0.7, "high": 0.72}},
    "champion": {"name": "churn", "version": "1"},
    "champion_metrics": {"roc_auc": {"value": 0.69, "low": 0.68, "high": 0.7}},
    "difference": {"roc_auc": {"value": 0.02, "low": 0.01, "high": 0.03}},
    "findings": [
        {
            "rule": "slices of roc_auc",
            "measurements": [
                {"name": "plan = a|b", "estimate": {"value": 0.6, "low": 0.5, "high": 0.7}, "rows": 77}
            ],
        },
        {"rule": "robustness", "problem": "no numeric feature"},
    ],
}


def asking(config, **approval):
    """The model with a ``deploy.approval`` of its own."""
    said = config.model_dump(mode="json")
    gates = {**said["gates"], "evidence_expires": approval.pop("evidence_expires", None)}
    deploy = {**said["deploy"], "approval": {"required": True, **approval}}
    return ModelConfig.model_validate_json(json.dumps({**said, "gates": gates, "deploy": deploy}))


@pytest.fixture
def approve(config, rollout, backends):
    def make(**approval):
        model = asking(config, **approval)
        return ApproveRolloutOperator(task_id="approve", model=model, rollout=rollout, after=[PASSED])

    return make


@pytest.fixture
def write(backends):
    def append(kind, subject, **given):
        said = {"model": "churn", "at": datetime.now(UTC), "dag_id": "churn.train", "run_id": "r0", **given}
        backends.ledger.append(Entry(kind=kind, subject=subject, **said))

    return append


def waits(run):
    """Runs into Airflow's signal that a person is waited for: 3.2 defers, 3.3 waits for input."""
    with pytest.raises(BaseException) as waiting:
        run()
    assert type(waiting.value).__name__ in ("TaskAwaitingInput", "TaskDeferred"), repr(waiting.value)
    assert waiting.value.method_name == "execute_complete"
    return waiting.value


def answered(option, reason="", by="ada", **more):
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason, **more},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "1", "name": by} if by else None,
    }


def test_a_person_is_shown_the_evidence_and_given_the_time_of_the_yaml(
    backends, approve, asked, make_context, write
):
    backends.tracking.files["evaluation.json"] = json.dumps(EVALUATION).encode()
    said = {"version": "2", "reasons": ("roc_auc 0.7123 is at least 0.6",)}
    page = ("file:///store/reports/churn.train/r0/evaluation.html",)
    write("gated", "run-2", **said, evidence=page, data={"outcome": "pass"})
    write("registered", "2", **said)
    write("monitored", "2026-03-01", version="1", reasons=("age moved",), data={"drifted": True})
    operator = approve()
    parked = waits(lambda: operator.execute(make_context()))
    (shown,) = asked
    assert shown["subject"] == "Roll out churn version 2?"
    assert (shown["options"], shown["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert shown["params"]["reason"]["schema"]["type"] == ["null", "string"]
    body = shown["body"]
    assert "[churn version 2](http://mlflow.test/churn/2)" in body
    row = "| roc_auc | 0.7100 (0.7000 to 0.7200) | 0.6900 (0.6800 to 0.7000) | 0.0200 (0.0100 to 0.0300) |"
    assert row in body.splitlines()
    assert "| plan = a\\|b | 0.6000 (0.5000 to 0.7000) | 77 |  |" in body.splitlines()
    assert "Could not be measured: no numeric feature." in body
    assert body.count("roc_auc 0.7123 is at least 0.6") == 1
    assert "[evaluation report](" in body
    assert "**drift**" in body
    assert "- age moved" in body
    left = datetime.fromisoformat(parked.kwargs["deadline"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert operator.response_timeout <= timedelta(days=7)


def test_a_run_without_an_evaluation_or_a_monitor_says_so(approve, asked, make_context):
    waits(lambda: approve().execute(make_context()))
    assert "The training run has no evaluation." in asked[0]["body"]
    assert "No monitoring run yet." in asked[0]["body"]


def test_an_approval_and_a_rejection_are_verdicts_with_a_name_and_a_reason(backends, approve, make_context):
    yes = approve().execute_complete(make_context(), answered("Approve"))
    assert (yes["outcome"], yes["reasons"]) == ("pass", ["approved by ada"])
    no = approve().execute_complete(make_context(run_id="r2"), answered("Reject", "wrong season"))
    assert (no["outcome"], no["reasons"]) == ("fail", ["rejected by ada: wrong season"])
    assert [(entry.kind, entry.actor, entry.data["reason"]) for entry in backends.entries()] == [
        ("approved", "ada", ""),
        ("declined", "ada", "wrong season"),
    ]


def test_no_answer_in_time_is_a_rejection(approve, make_context):
    verdict = approve().execute_complete(make_context(), answered("Reject", by=None))
    assert verdict["reasons"] == ["rejected by nobody: no answer within 7 days"]
    verdict = approve(timeout="2 days").execute_complete(
        make_context(run_id="r2"), answered("Reject", by=None)
    )
    assert verdict["reasons"] == ["rejected by nobody: no answer within 2 days"]


def test_a_rejection_without_a_reason_is_written_down_and_asked_again_until_the_first_deadline(
    backends, approve, asked, make_context
):
    deadline = datetime.now(UTC) + timedelta(hours=1)
    operator = approve()
    parked = waits(
        lambda: operator.execute_complete(
            make_context(), answered("Reject", "  "), deadline=deadline.isoformat()
        )
    )
    assert parked.kwargs == {"deadline": deadline.isoformat()}
    assert timedelta(minutes=59) < operator.response_timeout <= timedelta(hours=1)
    assert "ada gave no reason" in asked[0]["subject"]
    (entry,) = backends.entries()
    assert (entry.kind, entry.actor) == ("answer_refused", "ada")
    assert "gave no reason" in entry.reasons[1]


def test_the_deadline_of_a_question_that_was_asked_too_late_again_is_now(approve, asked, make_context):
    operator = approve()
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    waits(lambda: operator.execute_complete(make_context(), answered("Reject"), deadline=past))
    assert operator.response_timeout == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("who", "behind"),
    [
        ("ada", {"triggering_user_name": "Ada"}),
        ("grace", {}),
        ("linus", {}),
    ],
)
def test_under_four_eyes_a_yes_of_whoever_started_it_does_not_count_but_their_no_does(
    backends, approve, asked, make_context, write, who, behind
):
    write("registered", "2", actor="grace", version="2")
    write("overridden", "run-2", actor="linus")
    operator = approve(four_eyes=True)
    context = make_context(**behind)
    waits(lambda: operator.execute_complete(context, answered("Approve", by=who)))
    assert "somebody else must say yes" in asked[0]["subject"]
    refused = [entry for entry in backends.entries() if entry.kind == "answer_refused"]
    assert [entry.actor for entry in refused] == [who]
    no = approve(four_eyes=True).execute_complete(context, answered("Reject", "on second thoughts", by=who))
    assert no["outcome"] == "fail"
    yes = approve(four_eyes=True).execute_complete(
        make_context(run_id="r2", **behind), answered("Approve", by="barbara")
    )
    assert yes["outcome"] == "pass"


def test_a_user_is_known_by_id_as_well_and_nobody_is_barred_where_airflow_started_it(
    approve, asked, make_context, write
):
    write("registered", "2", actor="1", version="2")
    waits(lambda: approve(four_eyes=True).execute_complete(make_context(), answered("Approve", by="ada")))
    assert approve().execute_complete(make_context(), answered("Approve"))["outcome"] == "pass"


def test_only_the_users_of_the_yaml_are_asked_without_those_who_started_it(approve, asked, make_context):
    context = make_context(triggering_user_name="ada")
    waits(lambda: approve(users=["ada", "grace"], four_eyes=True).execute(context))
    assert asked[0]["assigned_users"] == [{"id": "grace", "name": "grace"}]
    assert "**May answer**: grace" in asked[0]["body"]
    assert "**Four eyes**: ada had a hand in this and cannot say yes to it" in asked[0]["body"]


def test_a_list_of_users_that_four_eyes_empties_asks_nobody_instead_of_everybody(
    approve, asked, make_context
):
    context = make_context(triggering_user_name="ada")
    with pytest.raises(AirflowFailException, match="nobody may answer: ada had a hand in this"):
        approve(users=["ada"], four_eyes=True).execute(context)
    assert asked == []


def test_what_a_client_sends_beyond_the_form_is_left_aside(approve, make_context):
    event = {**answered("Approve"), "params_input": {"comment": "hello"}}
    assert approve().execute_complete(make_context(), event)["outcome"] == "pass"
    long = approve().execute_complete(make_context(run_id="r2"), answered("Reject", "no. " * 2_000))
    assert len(long["reasons"][0]) < 2_100


def test_a_notifier_that_fails_neither_takes_the_question_down_nor_keeps_others_from_being_told(
    backends, config, rollout, asked, make_context
):
    told = []

    def broken(context):
        raise OSError("no route to host")

    operator = ApproveRolloutOperator(
        task_id="approve",
        model=config,
        rollout=rollout,
        after=[PASSED],
        notifiers=[broken, lambda context: told.append(len(asked))],
    )
    waits(lambda: operator.execute(make_context()))
    assert told == [1]
    waits(lambda: operator.execute_complete(make_context(), answered("Reject")))
    assert told == [1, 2]


def test_expired_evidence_is_a_rejection_before_asking_and_after_a_yes(
    backends, approve, asked, make_context, write
):
    write("gated", "run-2", at=datetime.now(UTC) - timedelta(days=3))
    old = approve(evidence_expires="2 days").execute(make_context())
    assert old["outcome"] == "fail"
    assert "older than gates.evidence_expires (2 days)" in old["reasons"][0]
    assert asked == []
    late = approve(evidence_expires="2 days").execute_complete(
        make_context(run_id="r2"), answered("Approve", "looks fine")
    )
    assert late["outcome"] == "fail"
    assert late["reasons"][0].startswith("approved by ada: looks fine; but its evaluation of")
    assert [entry.kind for entry in backends.entries()] == ["gated", "declined", "declined"]
    waits(lambda: approve(evidence_expires="4 days").execute(make_context(run_id="r3")))


def test_nobody_is_asked_about_a_challenger_that_failed_its_smoke_test(config, rollout, asked, make_context):
    operator = ApproveRolloutOperator(task_id="a", model=config, rollout=rollout, after=[HELD])
    with pytest.raises(AirflowSkipException, match="150 of 200"):
        operator.execute(make_context())
    assert asked == []


def test_a_task_that_failed_after_its_answer_was_written_down_finds_it_and_asks_nobody_again(
    backends, approve, asked, make_context
):
    approve().execute_complete(make_context(), answered("Approve", "looks fine"))
    again = approve().execute(make_context())
    assert (again["outcome"], again["reasons"]) == ("pass", ["approved by ada: looks fine"])
    waits(lambda: approve().execute(make_context(run_id="r2")))
    assert len(asked) == 1


def test_a_task_that_was_cleared_asks_anew_and_each_answer_is_kept(backends, approve, asked, make_context):
    approve().execute_complete(make_context(), answered("Reject", "not today"))
    cleared = make_context()
    cleared["ti"].max_tries = 1  # Airflow allows as many tries again from the one that was cleared
    waits(lambda: approve().execute(cleared))
    approve().execute_complete(cleared, answered("Reject", "nor tomorrow"))
    assert [entry.data["reason"] for entry in backends.entries()] == ["not today", "nor tomorrow"]
    assert approve().execute(cleared)["reasons"] == ["rejected by ada: nor tomorrow"]
