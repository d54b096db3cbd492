"""Review: whom a held challenger is shown to, and what an override takes."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.operators import RegisterModelOperator, ReviewChallengerOperator

UTC = timezone.utc
FAIL = {"outcome": "fail", "reasons": ["roc_auc 0.5 is below 0.6"]}
OPEN = {"outcome": "inconclusive", "reasons": ["a loss of more than 0.01 is not ruled out"]}
PASS = {"outcome": "pass", "reasons": ["roc_auc 0.7 is at least 0.6"]}
SNAPSHOT = {
    "dataset": {
        "uri": "file:///x",
        "version": "v1",
        "rows": 10,
        "holdout_rows": 5,
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        "holdout_start": "2026-01-20T00:00:00Z",
        "schema_hash": "s",
    },
    "causes": ["manual run"],
}
TRAINING = {"run_id": "run-3", "model_uri": "runs:/run-3/model", "url": "http://mlflow.test/run-3"}


@pytest.fixture
def review(config, backends):
    def make(verdict=FAIL, on_fail="ask", on_inconclusive="hold", **question):
        said = config.model_dump(mode="json")
        gates = {"on_fail": on_fail, "on_inconclusive": on_inconclusive, "review": question}
        told = json.dumps({**said, "gates": {**said["gates"], **gates}})
        return ReviewChallengerOperator(
            task_id="review",
            model=ModelConfig.model_validate_json(told),
            snapshot=SNAPSHOT,
            training=TRAINING,
            verdict=verdict,
        )

    return make


def waits(run):
    with pytest.raises(BaseException) as waiting:
        run()
    assert type(waiting.value).__name__ in ("TaskAwaitingInput", "TaskDeferred"), repr(waiting.value)


def answered(option, reason="", by="ada"):
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "1", "name": by} if by else None,
    }


def test_a_person_is_asked_with_the_verdict_in_the_question(review, asked, make_context):
    waits(lambda: review().execute(make_context()))
    (shown,) = asked
    assert shown["subject"] == "churn: the gates said fail. Register it all the same?"
    assert (shown["options"], shown["defaults"]) == (["Override", "Hold"], ["Hold"])
    assert "[run-3](http://mlflow.test/run-3)" in shown["body"]
    assert "**Champion**: churn version 1" in shown["body"]


@pytest.mark.parametrize(
    ("verdict", "rules", "kind"),
    [
        (PASS, {"on_fail": "ask", "on_inconclusive": "ask"}, "manual"),
        (OPEN, {"on_fail": "ask"}, "manual"),
        (OPEN, {"on_fail": "ask", "on_inconclusive": "collect"}, "manual"),
        (FAIL, {"on_fail": "hold", "on_inconclusive": "ask"}, "manual"),
        (FAIL, {"on_fail": "ask"}, "backfill"),
    ],
)
def test_nobody_is_asked_where_the_yaml_does_not_say_so(review, asked, make_context, verdict, rules, kind):
    with pytest.raises(AirflowSkipException, match="nobody is asked"):
        review(verdict, **rules).execute(make_context(kind))
    assert asked == []


def test_an_override_is_a_passed_verdict_and_needs_a_reason(backends, review, asked, make_context):
    context = make_context()
    waits(lambda: review().execute_complete(context, answered("Override")))
    assert "ada gave no reason" in asked[0]["subject"]
    passed = review().execute_complete(context, answered("Override", "last year's threshold"))
    assert passed["outcome"] == "pass"
    assert passed["reasons"][0] == "gates said fail, overridden by ada: last year's threshold"
    assert [entry.kind for entry in backends.entries()] == ["answer_refused", "overridden"]


def test_an_override_that_is_written_down_is_found_on_a_retry(backends, review, asked, make_context):
    review().execute_complete(make_context(), answered("Override", "last year's threshold"))
    assert review().execute(make_context())["outcome"] == "pass"
    assert asked == []


def test_holding_on_needs_no_reason_and_no_answer_holds_too(review, make_context):
    said = review().execute_complete(make_context(), answered("Hold"))
    assert (said["outcome"], said["reasons"][0]) == ("fail", "gates said fail, held by ada")
    late = review(timeout="3 days").execute_complete(make_context(run_id="r2"), answered("Hold", by=None))
    assert late["reasons"][0] == "gates said fail, held by nobody: no answer within 3 days"


def test_under_four_eyes_whoever_started_the_training_cannot_override(review, asked, make_context):
    context = make_context(triggering_user_name="ada")
    waits(lambda: review(four_eyes=True).execute_complete(context, answered("Override", "because")))
    assert "somebody else must say yes" in asked[0]["subject"]


def test_the_registration_runs_after_a_review_that_was_skipped_and_skips_where_it_held(config, make_context):
    def register(verdict, review):
        return RegisterModelOperator(
            task_id="register",
            model=config,
            snapshot=SNAPSHOT,
            training=TRAINING,
            evaluation={},
            verdict=verdict,
            review=review,
        )

    assert register(PASS, object()).trigger_rule == "none_failed"
    assert register(PASS, None).trigger_rule == "all_success"
    register(PASS, None).skip_without_inputs()
    register(FAIL, PASS).skip_without_inputs()
    for review in (None, FAIL):
        with pytest.raises(AirflowSkipException, match="the gate held this challenger"):
            register(FAIL, review).skip_without_inputs()
