"""A whole rollout in one task, and a smoke test that waits for its endpoint."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Deployment, ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, DataRefused, ModelRefused
from airflow_mlops.operators import (
    DeployCanaryOperator,
    PromoteModelOperator,
    SmokeServeOperator,
    TakeChallengerOperator,
)
from airflow_mlops.triggers.deployment import DeploymentTrigger, DeploymentWatch

STARTING = Deployment(False, "1 of 2 pods are up")
UP = Deployment(True, "2 of 2 pods are up")
NOW = datetime.now(timezone.utc)
PASSED = {"outcome": "pass", "reasons": []}


def event_of(trigger) -> dict:
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    kind = getattr(__import__(module, fromlist=[name]), name)

    async def consume():
        return [event.payload async for event in kind(**arguments).run()]

    (event,) = asyncio.run(asyncio.wait_for(consume(), timeout=5))
    return event


@pytest.fixture
def challenger(backends, kept_rows):
    """Version 2 waits in the ledger, and version 1 is champion by it."""
    for kind, version, run in (("promoted", "1", "d"), ("registered", "2", "t")):
        data = {"role": "challenger"} if kind == "registered" else {}
        at = NOW - timedelta(minutes=1)
        backends.ledger.append(Entry("churn", kind, version, at, "churn.train", run, data=data))


@pytest.fixture
def canary(config, challenger):
    def make(**given):
        return DeployCanaryOperator(task_id="canary", **{"model": config, **given})

    return make


def stages(backends) -> list[tuple[str, str]]:
    """What was written since the challenger was taken."""
    kept = [(entry.kind, entry.stage) for entry in backends.entries()]
    return kept[kept.index(("rollout_taken", "")) + 1 :]


def test_a_good_challenger_goes_through_all_stages_of_the_yaml_and_may_be_promoted(
    backends, canary, config, make_context, good
):
    backends.serving.looks = [good]
    result = canary().execute(make_context())
    assert (result["outcome"], result["id"], result["candidate"]["version"]) == ("pass", "churn-v2", "2")
    assert stages(backends) == [
        ("smoke_served", ""), ("shadowed", "0.0"), ("canary_step", "0.1"), ("canary_step", "0.5"),
    ]  # fmt: skip
    assert (backends.serving.state.mode, backends.serving.state.weight) == ("canary", 0.5)
    promote = PromoteModelOperator(task_id="promote", model=config, rollout=result)
    assert promote.execute(make_context())["version"] == "2"
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "2", result["candidate"]["url"]))


def test_its_stages_may_be_said_instead(backends, canary, make_context, good):
    backends.serving.looks = [good]
    assert canary(shadow=False, weights=[0.25, 1]).execute(make_context())["outcome"] == "pass"
    assert stages(backends)[1:] == [("canary_step", "0.25"), ("canary_step", "1.0")]
    for wrong in ([0.5, 0.1], [0.0, 0.5], [0.5, 1.5]):
        with pytest.raises(ValueError, match="rising shares"):
            canary(weights=wrong)


def test_it_takes_the_challenger_that_is_pending_or_that_it_is_handed_or_is_skipped(
    backends, canary, config, make_context, good
):
    backends.serving.looks = [good]
    context = make_context()
    taken = TakeChallengerOperator(task_id="take", model=config, approval=False).execute(context)
    assert canary(rollout=taken).execute(context)["candidate"]["version"] == "2"
    assert canary().execute(context)["outcome"] == "pass"
    promote = PromoteModelOperator(task_id="promote", model=config, rollout=taken)
    assert promote.execute(context)["version"] == "2"
    with pytest.raises(AirflowSkipException, match="nothing to do"):
        canary().execute(make_context(run_id="another"))


def test_a_verdict_against_it_gives_the_traffic_back_and_nothing_is_promoted(
    backends, canary, config, make_context, good, failing
):
    backends.serving.looks = [good, failing]
    result = canary().execute(make_context())
    assert result["outcome"] == "fail"
    assert "150 of 200 rows failed" in result["reasons"][0]
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "1"))
    assert [kind for kind, _ in stages(backends)][-2:] == ["rollback_intended", "rolled_back"]
    with pytest.raises(AirflowSkipException, match="150 of 200 rows failed"):
        PromoteModelOperator(task_id="promote", model=config, rollout=result).execute(make_context())


def test_it_is_deferred_in_each_stage_and_goes_on_where_it_was(backends, canary, make_context, few, good):
    backends.serving.coming_up = [STARTING, UP]
    backends.serving.looks = [few, good, good, few, good]
    task, pauses = canary(), 0
    resume = lambda: task.execute(make_context())  # noqa: E731
    while True:
        try:
            result = resume()
            break
        except TaskDeferred as deferred:
            pauses += 1
            event = event_of(deferred.trigger)
            resume = lambda: task.execute_complete(make_context(), event)  # noqa: E731, B023
    assert pauses == 3
    assert result["outcome"] == "pass"
    assert [stage for kind, stage in stages(backends)] == ["", "0.0", "0.1", "0.5"]


def test_a_first_model_is_smoke_served_and_passes(backends, config, kept_rows, make_context):
    backends.tracking.aliases.clear()
    backends.serving.state = Traffic(champion=None)
    data = {"role": "challenger"}
    backends.ledger.append(Entry("churn", "registered", "2", NOW, "churn.train", "t", data=data))
    result = DeployCanaryOperator(task_id="canary", model=config).execute(make_context())
    assert result["outcome"] == "pass"
    assert stages(backends) == [("smoke_served", "")]


def test_a_stage_that_breaks_for_good_leaves_no_traffic_behind(backends, canary, make_context, good):
    backends.serving.looks = [good, DataRefused("another version speaks there")]
    with pytest.raises(AirflowFailException, match="another version speaks there"):
        canary().execute(make_context())
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "1"))
    assert "another version speaks there" in backends.entries()[-1].reasons[0]


def away(*_, **__):
    raise BackendUnavailable("the gateway does not answer")


def test_a_service_that_is_away_is_tried_again_before_the_rollout_is_undone(
    backends, canary, make_context, good, monkeypatch
):
    context = make_context()
    context["ti"].max_tries = 1
    monkeypatch.setattr(backends.serving, "set_traffic", away)
    for number in (1, 2):
        context["ti"].try_number = number
        with pytest.raises(AirflowException, match="does not answer"):
            canary().execute(context)
        assert ("rolled_back" in dict(stages(backends))) == (number == 2)


def test_a_rollout_that_cannot_even_be_undone_says_so(backends, canary, make_context, monkeypatch):
    def gone(*_, **__):
        monkeypatch.setattr(backends.serving, "traffic", away)
        away()

    monkeypatch.setattr(backends.serving, "set_traffic", gone)
    with pytest.raises(AirflowException, match="the challenger may still answer rows"):
        canary().execute(make_context())


def test_a_yaml_that_changes_under_way_undoes_the_rollout(backends, canary, config, make_context, few):
    backends.serving.looks = [few]
    with pytest.raises(TaskDeferred) as deferred:
        canary().execute(make_context())
    changed = canary(model=config.model_copy(update={"owner": "somebody else"}))
    event = {"verdict": PASSED, "resume": deferred.value.trigger.resume}
    with pytest.raises(AirflowFailException, match="the YAML of churn changed"):
        changed.execute_complete(make_context(), event)
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "1"))


@pytest.fixture
def smoke(config, challenger, make_context):
    def make(**given):
        rollout = TakeChallengerOperator(task_id="take", model=config).execute(make_context())
        return SmokeServeOperator(task_id="smoke", model=config, rollout=rollout, **given)

    return make


def test_a_smoke_test_waits_for_its_endpoint_without_a_worker(backends, smoke, make_context):
    backends.serving.coming_up = [STARTING, STARTING, UP]
    task = smoke()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(make_context())
    assert isinstance(deferred.value.trigger, DeploymentTrigger)
    assert "s3cret" not in str(deferred.value.trigger.serialize())
    verdict = task.execute_complete(make_context(), event_of(deferred.value.trigger))
    assert (verdict["outcome"], stages(backends)) == ("pass", [("smoke_served", "")])


def test_a_challenger_that_is_not_up_by_the_deadline_is_a_failed_verdict(backends, smoke, make_context):
    taken, data = NOW - timedelta(hours=2), {"champion": "1", "required": ["smoke"]}
    backends.ledger.append(Entry("churn", "rollout_taken", "2", taken, "churn.train", "r1", data=data))
    backends.serving.coming_up = [STARTING]
    verdict = smoke().execute(make_context())
    assert verdict["outcome"] == "fail"
    assert "it did not come up within 1 hour, by " in verdict["reasons"][0]
    assert "1 of 2 pods are up" in verdict["reasons"][0]


def test_a_challenger_that_the_endpoint_refuses_is_a_failed_verdict_and_not_waited_for(
    backends, smoke, make_context
):
    backends.serving.coming_up = [ModelRefused("no such image")]
    verdict = smoke().execute(make_context())
    assert (verdict["outcome"], "no such image" in verdict["reasons"][0]) == ("fail", True)


def test_an_endpoint_that_is_away_is_asked_again_until_the_deadline(backends, smoke, make_context):
    backends.serving.coming_up = [STARTING, BackendUnavailable("does not answer")]
    with pytest.raises(TaskDeferred) as deferred:
        smoke().execute(make_context())
    watch = DeploymentWatch.begin(deferred.value.trigger.request)
    assert watch.look(backends, datetime.now(timezone.utc)) == Deployment(False, "does not answer")
    with pytest.raises(BackendUnavailable, match="does not answer"):
        watch.look(backends, datetime.now(timezone.utc) + timedelta(hours=2))
