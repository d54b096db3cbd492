"""A rollout's stages, its approval and its end."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
    TaskDeferred,
)

from airflow_mlops.backends.prometheus import Prometheus
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.config.parts.deploy_evidence import BusinessMetric, Quality
from airflow_mlops.config.parts.monitor import Monitor
from airflow_mlops.operators import (
    AbReportOperator,
    CanaryStepOperator,
    ConcludeRolloutOperator,
    ShadowOperator,
    SmokeServeOperator,
    UndoRolloutOperator,
)
from airflow_mlops.operators.links import ReportLink
from airflow_mlops.triggers.rollout_stage import RolloutStageTrigger

UTC = timezone.utc
PASSED = {"outcome": "pass", "reasons": ["all is well"]}
HELD = {"outcome": "fail", "reasons": ["150 of 200 rows failed"]}


def events_of(trigger: RolloutStageTrigger) -> list[dict]:
    async def consume():
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(consume(), timeout=5))


def remade(trigger: RolloutStageTrigger) -> RolloutStageTrigger:
    """As the triggerer makes it again from what Airflow kept."""
    path, arguments = trigger.serialize()
    assert path == "airflow_mlops.triggers.rollout_stage.RolloutStageTrigger"
    return RolloutStageTrigger(**arguments)


@pytest.fixture
def shadow(config, rollout):
    def make(**given):
        told = {"model": config, "rollout": rollout, "after": [], **given}
        return ShadowOperator(task_id="shadow", **told)

    return make


def test_a_stage_that_is_decided_at_the_first_look_never_defers(backends, shadow, make_context, good):
    backends.serving.looks = [good]
    verdict = shadow().execute(make_context())
    assert verdict["outcome"] == "pass"
    assert (backends.serving.state.mode, backends.serving.state.weight) == ("shadow", 0.0)
    assert [entry.kind for entry in backends.entries()] == ["shadowed"]


def test_a_canary_step_asks_for_its_weight(backends, config, rollout, make_context, good):
    backends.serving.looks = [good]
    backends.passed(0, 0.1)
    CanaryStepOperator(task_id="c", model=config, rollout=rollout, weight=0.5, after=[PASSED]).execute(
        make_context()
    )
    assert (backends.serving.state.mode, backends.serving.state.weight) == ("canary", 0.5)
    written = backends.entries()[0].data
    assert (written["outcome"], written["weight"]) == ("pass", 0.5)
    assert (written["counts"]["calls"], written["counts"]["champion_calls"]) == (200, 200)


def test_the_trigger_goes_on_where_the_task_stopped_and_gives_one_event(
    backends, shadow, make_context, few, failing, away
):
    backends.serving.looks = [few, few, away, failing]
    operator = shadow()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    assert deferred.value.method_name == "execute_complete"
    (event,) = events_of(remade(deferred.value.trigger))
    assert event["verdict"]["outcome"] == "fail"
    verdict = operator.execute_complete(make_context(), event)
    assert "150 of 200 rows failed" in verdict["reasons"][0]
    assert verdict["config"]
    assert len(backends.entries()) == 1


def test_the_trigger_carries_no_secret(backends, shadow, make_context, few):
    backends.serving.looks = [few]
    with pytest.raises(TaskDeferred) as deferred:
        shadow().execute(make_context())
    kept = str(deferred.value.trigger.serialize())
    assert "s3cret" not in kept
    assert "t0ken" not in kept
    assert backends.asked[0].serving.token == "t0ken"


def test_a_stage_that_does_not_defer_polls_by_the_same_rule(backends, shadow, make_context, few, good):
    backends.serving.looks = [few, few, good]
    assert shadow(deferrable=False).execute(make_context())["outcome"] == "pass"


def test_the_deadline_counts_from_the_opening_and_its_rollback_is_recorded(
    backends, shadow, make_context, few
):
    backends.serving.looks = [few]
    backends.serving.since = datetime.now(UTC) - timedelta(hours=2)
    verdict = shadow().execute(make_context())
    assert verdict["outcome"] == "fail"
    assert "no verdict within 1 hour" in verdict["reasons"][0]
    (entry,) = backends.entries()
    assert entry.data["outcome"] == "fail"


@pytest.fixture
def patient(config):
    """A model whose stages wait on beyond their deadline."""
    deploy = config.deploy.model_copy(update={"on_inconclusive": "hold"})
    return config.model_copy(update={"deploy": deploy})


def test_a_stage_that_is_held_beyond_its_deadline_waits_on_and_tells_so_once(
    backends, shadow, patient, make_context, few, good, capsys
):
    backends.serving.looks = [few]
    backends.serving.since = datetime.now(UTC) - timedelta(hours=2)
    told = []
    for _ in range(2):  # the second is a retry
        with pytest.raises(TaskDeferred) as deferred:
            shadow(model=patient, notifiers=[told.append]).execute(make_context())
    assert len(told) == 1
    assert "The stage is held and waits on: no verdict within 1 hour" in capsys.readouterr().out
    (entry,) = backends.entries()
    assert (entry.stage, entry.data["outcome"]) == ("0.0 held", "inconclusive")
    backends.serving.looks = [good]
    assert events_of(deferred.value.trigger)[0]["verdict"]["outcome"] == "pass"


def test_a_stage_that_comes_to_be_held_in_the_triggerer_wakes_its_task_to_say_so(
    backends, shadow, patient, make_context, few
):
    backends.serving.looks = [few]
    with pytest.raises(TaskDeferred) as deferred:
        shadow(model=patient).execute(make_context())
    kept = deferred.value.trigger.serialize()[1]
    overdue = RolloutStageTrigger(**{**kept, "since": (datetime.now(UTC) - timedelta(hours=2)).isoformat()})
    (event,) = events_of(overdue)
    told = []
    with pytest.raises(TaskDeferred) as again:
        shadow(model=patient, notifiers=[told.append]).execute_complete(make_context(), event)
    assert len(told) == 1
    assert again.value.trigger.serialize() == overdue.serialize()


def test_a_retry_of_a_stage_that_has_failed_finds_its_verdict_and_moves_nothing(
    backends, shadow, make_context, failing
):
    backends.serving.looks = [failing]
    first = shadow().execute(make_context())
    backends.serving.roll_back("churn-v2")
    assert shadow().execute(make_context())["outcome"] == first["outcome"] == "fail"
    assert backends.serving.state.mode == "none"


def test_an_endpoint_away_at_the_deadline_rolls_back_even_if_patience_would_promote(
    backends, shadow, config, make_context, away
):
    lenient = config.model_copy(
        update={"deploy": config.deploy.model_copy(update={"on_inconclusive": "promote_if_unharmed"})}
    )
    backends.serving.looks = [away]
    backends.serving.since = datetime.now(UTC) - timedelta(hours=2)
    verdict = shadow(model=lenient).execute(make_context())
    assert verdict["outcome"] == "fail"
    assert "does not answer" in verdict["reasons"][1]


def test_an_error_in_the_triggerer_reaches_the_task_with_its_message(
    backends, shadow, make_context, few, monkeypatch
):
    backends.serving.looks = [few]
    operator = shadow()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    monkeypatch.delenv("AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT")
    (event,) = events_of(remade(deferred.value.trigger))
    with pytest.raises(AirflowFailException, match="airflow connections add mlops_gateway_default"):
        operator.execute_complete(make_context(), event)
    with pytest.raises(AirflowException) as again:
        operator.execute_complete(make_context(), {"error": "the store is full", "retry": True})
    assert not isinstance(again.value, AirflowFailException)


def test_a_first_model_skips_its_comparisons_but_leaves_a_passed_verdict(
    backends, shadow, rollout, make_context
):
    context = make_context()
    with pytest.raises(AirflowSkipException, match="a first model has no champion"):
        shadow(rollout={**rollout, "champion": None}).execute(context)
    assert context["ti"].pushed["return_value"]["outcome"] == "pass"
    assert backends.serving.state.mode == "none"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ([PASSED, HELD], "150 of 200 rows failed"),
        ([None], "an earlier stage of this rollout gave no verdict"),
    ],
)
def test_no_traffic_moves_after_a_stage_that_did_not_pass(backends, shadow, make_context, after, reason):
    with pytest.raises(AirflowSkipException, match=reason):
        shadow(after=after).execute(make_context())
    assert backends.serving.state.mode == "none"


def test_a_stage_that_is_told_of_no_verdicts_asks_the_tasks_upstream(backends, config, rollout, make_context):
    with DAG("churn.deploy"):
        smoke = SmokeServeOperator(task_id="smoke", model=config, rollout=rollout)
        notify = EmptyOperator(task_id="notify")
        stage = ShadowOperator(task_id="shadow", model=config, rollout=rollout)
        [smoke, notify] >> stage
    context = make_context()
    context["ti"].results["smoke"] = HELD
    with pytest.raises(AirflowSkipException, match="150 of 200 rows failed"):
        stage.execute(context)


@pytest.fixture
def conclude(config, rollout):
    """``conclude(verdicts, rollout)``: the branch inside a DAG of its own."""

    def make(verdicts, rollout=rollout):
        with DAG("churn.deploy"):
            stage = EmptyOperator(task_id="stage")
            branch = ConcludeRolloutOperator(
                task_id="conclude",
                model=config,
                rollout=rollout,
                verdicts=verdicts,
                promote_task_id="promote",
                roll_back_task_id="roll_back",
            )
            promote = EmptyOperator(task_id="promote")
            back = EmptyOperator(task_id="roll_back")
            EmptyOperator(task_id="take") >> stage >> branch >> [promote, back]
        return branch

    return make


def skipped_by(branch, context, states=None):
    context["ti"].task = branch
    context["ti"].states = states or {}
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        branch.execute(context)
    return [task for task, _ in skipped.value.tasks]


def test_a_rollout_whose_stages_all_passed_is_promoted(backends, conclude, make_context):
    context = make_context()
    assert skipped_by(conclude([PASSED, PASSED]), context) == ["roll_back"]
    assert context["ti"].pushed["return_value"]["decision"] == "promote"


@pytest.mark.parametrize("verdicts", [[PASSED, HELD], [PASSED, None], []])
def test_a_rollout_with_a_held_or_missing_verdict_is_rolled_back(backends, conclude, make_context, verdicts):
    assert skipped_by(conclude(verdicts), make_context()) == ["promote"]


def test_a_first_model_is_promoted_unless_a_stage_of_it_broke(backends, conclude, rollout, make_context):
    first = {**rollout, "champion": None}
    branch = conclude([PASSED, None], first)
    assert skipped_by(branch, make_context(), {"stage": "skipped"}) == ["roll_back"]
    assert skipped_by(branch, make_context(), {"stage": "upstream_failed"}) == ["promote"]


def test_a_rollout_that_was_never_taken_is_skipped_or_fails_with_what_failed(conclude, make_context):
    context = make_context()
    context["ti"].states = {"stage": "skipped"}
    with pytest.raises(AirflowSkipException, match="no challenger was taken"):
        conclude([None], None).execute(context)
    context["ti"].states = {"stage": "failed"}
    with pytest.raises(AirflowFailException, match="no rollout was begun: stage failed"):
        conclude([None], None).execute(context)


def test_a_triggerer_of_another_version_says_so_instead_of_dying(backends, shadow, make_context):
    stage = shadow()
    with pytest.raises(TaskDeferred) as waiting:
        stage.execute(make_context())
    trigger = remade(waiting.value.trigger)
    trigger.request["config"]["a_key_of_tomorrow"] = 1
    (event,) = events_of(trigger)
    with pytest.raises(
        AirflowException, match=r"restart the triggerer.*config\.a_key_of_tomorrow"
    ) as refused:
        stage.execute_complete(make_context(), event)
    assert not isinstance(refused.value, AirflowFailException)


def test_a_stage_is_called_by_its_name_in_the_log(backends, config, rollout, make_context, good, capsys):
    backends.serving.looks = [good]
    given = {"model": config, "rollout": rollout, "after": []}
    ShadowOperator(task_id="a", **given).execute(make_context())
    CanaryStepOperator(task_id="b", weight=0.1, **given).execute(make_context())
    log = capsys.readouterr().out
    assert "shadow of churn:" in log
    assert "canary at 10 % of churn:" in log


def test_the_task_that_is_named_as_failed_is_the_one_whose_log_to_read(conclude, make_context):
    context = make_context()
    context["ti"].states = {"take": "failed", "stage": "upstream_failed"}
    with pytest.raises(AirflowFailException, match="no rollout was begun: take failed"):
        conclude([None], None).execute(context)


def test_a_rollback_says_why_and_moves_the_traffic_back(
    backends, config, rollout, shadow, make_context, failing
):
    backends.serving.looks = [failing]
    verdict = shadow().execute(make_context())
    back = UndoRolloutOperator(
        task_id="back", model=config, rollout=rollout, verdicts=[PASSED, verdict, None]
    )
    assert back.execute(make_context())["version"] == "1"
    assert backends.serving.state.mode == "none"
    rolled = [entry for entry in backends.entries() if entry.kind == "rolled_back"]
    assert rolled[0].reasons == tuple(verdict["reasons"])


def test_a_rollback_after_a_broken_stage_says_so(backends, config, rollout, make_context):
    back = UndoRolloutOperator(task_id="back", model=config, rollout=rollout, verdicts=[PASSED, None])
    with pytest.raises(AirflowFailException, match="rolled back, the champion serves"):
        back.execute(make_context())
    assert backends.entries()[-1].kind == "rolled_back"
    assert "without a verdict" in backends.entries()[-1].reasons[0]


def test_a_yaml_that_changed_in_mid_rollout_does_not_keep_the_traffic_from_going_back(
    backends, config, rollout, make_context
):
    begun = {"config": "0" * 64, **rollout}
    stage = ShadowOperator(task_id="shadow", model=config, rollout=begun, after=[])
    with pytest.raises(AirflowFailException, match="the YAML of churn changed"):
        stage.execute(make_context())
    branch = ConcludeRolloutOperator(
        task_id="branch",
        model=config,
        rollout=begun,
        verdicts=[None],
        promote_task_id="promote",
        roll_back_task_id="roll_back",
    )
    with pytest.raises(AirflowFailException, match="the YAML of churn changed"):
        branch.execute(make_context())
    back = UndoRolloutOperator(task_id="back", model=config, rollout=begun, verdicts=[PASSED, None])
    with pytest.raises(AirflowFailException, match="rolled back, the champion serves"):
        back.execute(make_context())
    assert backends.serving.state.mode == "none"
    assert backends.entries()[-1].kind == "rolled_back"


@pytest.fixture
def labelled(config):
    """The same model, judged by labels too, which are looked at every ten minutes."""
    analysis = config.deploy.analysis.model_copy(
        update={"quality": Quality(metric="accuracy", margin=0.1, look_every="10 minutes")}
    )
    source = {"labels": {"source": {"type": "parquet", "path": "labels/*.parquet"}}}
    return config.model_copy(
        update={
            "deploy": config.deploy.model_copy(update={"analysis": analysis}),
            "monitor": Monitor.model_validate(source),
        }
    )


def test_a_task_looks_at_the_labels_and_comes_back_for_it_when_it_is_time(
    backends, labelled, rollout, make_context, few, good
):
    backends.serving.looks = [few, few, few, good]
    operator = ShadowOperator(task_id="shadow", model=labelled, rollout=rollout, after=[])
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context())
    (kept,) = backends.store.keys("rollouts")
    assert kept == "rollouts/churn/churn-v2/shadow/quality.json"
    look = json.loads(backends.store.get(kept))
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    backends.store.put(kept, json.dumps({**look, "at": long_ago.isoformat()}).encode())
    assert events_of(remade(deferred.value.trigger)) == [{"look": True}]
    # Resumed, the task looks, and goes on waiting by the same rule.
    verdict = operator.execute_complete(make_context(), {"look": True})
    assert verdict["outcome"] == "pass"
    assert any("0 of 200 labels have landed" in reason for reason in verdict["reasons"])
    assert datetime.fromisoformat(json.loads(backends.store.get(kept))["at"]) > long_ago + timedelta(
        minutes=5
    )


def test_a_connection_to_prometheus_that_is_missing_is_told_before_traffic_moves(
    backends, config, rollout, make_context
):
    metric = BusinessMetric(name="orders", query="up", minimum=1)
    analysis = config.deploy.analysis.model_copy(update={"metrics": (metric,)})
    config = config.model_copy(update={"deploy": config.deploy.model_copy(update={"analysis": analysis})})
    before = backends.serving.state
    with pytest.raises(
        AirflowFailException, match="connections add prometheus_default --conn-type prometheus"
    ):
        CanaryStepOperator(task_id="c", model=config, rollout=rollout, weight=0.5, after=[]).execute(
            make_context()
        )
    assert backends.serving.state == before
    # The way back needs no Prometheus.
    back = UndoRolloutOperator(task_id="b", model=config, rollout=rollout, verdicts=[HELD])
    back.execute(make_context())


def test_the_report_of_an_ab_test_is_linked_and_is_skipped_without_a_verdict(
    backends, config, rollout, make_context, good
):
    backends.serving.looks = [good]
    given = {"task_id": "report", "model": config, "rollout": rollout, "weight": 0.5}
    operator = AbReportOperator(verdict=PASSED, **given)
    report = operator.execute(make_context())
    assert report["kind"] == "ab_test"
    assert report["uri"].endswith("/reports/churn.train/r1/ab_test.html")
    assert ReportLink().get_link(operator, ti_key=None).endswith("/mlops/reports/churn.train/r1/ab_test.html")
    with pytest.raises(AirflowSkipException, match="no verdict to work on"):
        AbReportOperator(verdict=None, **given).execute(make_context())
    first = {**given, "rollout": {**rollout, "champion": None}}
    with pytest.raises(AirflowSkipException):
        AbReportOperator(verdict=PASSED, **first).execute(make_context())


@pytest.mark.parametrize(
    ("on_inconclusive", "outcome"), [("promote_if_unharmed", "fail"), ("roll_back", "fail"), ("hold", None)]
)
def test_what_could_not_be_measured_by_the_deadline_is_held_or_rolled_back_and_never_passes(
    backends, config, rollout, make_context, good, monkeypatch, on_inconclusive, outcome
):
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", "prometheus://127.0.0.1:1")
    metric = BusinessMetric(name="orders", query="up", minimum=1)
    analysis = config.deploy.analysis.model_copy(update={"metrics": (metric,)})
    changed = {"analysis": analysis, "on_inconclusive": on_inconclusive}
    config = config.model_copy(update={"deploy": config.deploy.model_copy(update=changed)})
    endpoint = PrometheusEndpoint("http://127.0.0.1:1")
    backends.prometheus = lambda conn_id: Prometheus(endpoint)
    backends.serving.looks = [good]
    backends.serving.since = datetime.now(UTC) - timedelta(hours=2)
    backends.passed(0, 0.1)
    operator = CanaryStepOperator(task_id="c", model=config, rollout=rollout, weight=0.5, after=[])
    if outcome is None:
        with pytest.raises(TaskDeferred):
            operator.execute(make_context())
        return
    verdict = operator.execute(make_context())
    assert verdict["outcome"] == outcome
    assert any("orders could not be measured: Prometheus at" in reason for reason in verdict["reasons"])
