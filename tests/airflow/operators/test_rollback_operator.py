"""An earlier champion is put back by hand, and a rollout is undone on purpose."""

from __future__ import annotations

import asyncio

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_mlops.core.values import Deployment, ModelRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused
from airflow_mlops.factory import load_file
from airflow_mlops.operators import (
    RollBackDecayedOperator,
    RollbackModelOperator,
    ShadowOperator,
    UndoRolloutOperator,
)
from airflow_mlops.triggers.deployment import DeploymentTrigger

STARTING = Deployment(False, "1 of 2 pods are up")
UP = Deployment(True, "2 of 2 pods are up")


def events_of(trigger) -> list[dict]:
    path, arguments = trigger.serialize()
    assert path == "airflow_mlops.triggers.deployment.DeploymentTrigger"

    async def consume():
        return [event.payload async for event in DeploymentTrigger(**arguments).run()]

    return asyncio.run(asyncio.wait_for(consume(), timeout=5))


@pytest.fixture
def back(config, champions):
    return RollbackModelOperator(task_id="back", model=config, outlets=[Asset("churn/champion")])


def test_who_started_the_run_and_the_reason_of_its_form_are_on_record(backends, back, make_context):
    context = make_context(
        params={"version": None, "reason": "wrong prices"},
        triggering_user_name="anna",
        dag_id="churn.rollback",
    )
    result = back.execute(context)
    assert (result["version"], result["previous"], result["done"]) == ("1", "2", True)
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "1"))
    entry = backends.entries()[-1]
    assert (entry.kind, entry.actor, entry.reasons, entry.dag_id) == (
        "reversed", "anna", ("wrong prices",), "churn.rollback",
    )  # fmt: skip
    assert context["outlet_events"][Asset("churn/champion")].extra == {"name": "churn", "version": "1"}


def test_a_version_that_cannot_be_put_back_fails_at_once_with_what_there_is(backends, back, make_context):
    params = {"version": "7", "reason": "wrong prices"}
    with pytest.raises(
        AirflowFailException, match=r"version 7 of churn was never its champion.*champions so far"
    ):
        back.execute(make_context(params=params))
    with pytest.raises(AirflowFailException, match="a rollback needs a reason"):
        back.execute(make_context())
    assert backends.serving.state.champion.version == "2"


def test_a_target_that_takes_its_time_holds_no_worker(backends, back, make_context):
    backends.serving.coming_up = [STARTING, STARTING, STARTING, BackendUnavailable("restarting"), UP]
    params = {"reason": "wrong prices"}
    with pytest.raises(TaskDeferred) as deferred:
        back.execute(make_context(params=params))
    assert backends.serving.state.champion.version == "2"
    (event,) = events_of(deferred.value.trigger)
    assert event == {"said": "2 of 2 pods are up", "resume": {"version": "1"}}
    assert back.execute_complete(make_context(params=params), event)["version"] == "1"
    assert backends.serving.state.champion.version == "1"
    assert [entry.kind for entry in backends.entries()].count("reversal_intended") == 1
    with pytest.raises(AirflowException, match="the store is full"):
        back.execute_complete(make_context(), {"error": "the store is full", "retry": True})


def test_without_deferral_it_asks_again_by_itself(backends, config, champions, make_context):
    backends.serving.coming_up = [STARTING, STARTING, UP]
    back = RollbackModelOperator(task_id="back", model=config, deferrable=False, reason="r", version="1")
    assert back.execute(make_context())["version"] == "1"


def test_a_version_that_is_refused_leaves_the_champion(backends, back, make_context):
    backends.serving.refuses = ModelRefused("its file is gone")
    with pytest.raises(AirflowFailException, match="its file is gone"):
        back.execute(make_context(params={"reason": "r"}))
    assert backends.tracking.aliases["champion"] == "2"


def test_a_shadow_that_was_only_to_be_looked_at_ends_green(backends, config, rollout, make_context, good):
    backends.serving.looks = [good]
    verdict = ShadowOperator(task_id="shadow", model=config, rollout=rollout, after=[]).execute(
        make_context()
    )
    undo = {"model": config, "rollout": rollout, "reason": "a look at it was all"}
    UndoRolloutOperator(task_id="undo", verdicts=[verdict], **undo).execute(make_context())
    assert backends.serving.state.mode == "none"
    assert backends.entries()[-1].reasons == ("a look at it was all",)
    with pytest.raises(AirflowFailException, match="rolled back, the champion serves"):
        UndoRolloutOperator(task_id="undo", verdicts=[None], **undo).execute(make_context())


@pytest.mark.slow
@pytest.mark.airflow
def test_the_dag_of_a_model_puts_an_earlier_champion_back(backends, champions, yaml_file, mlops_run_dag):
    dag = load_file(yaml_file)["churn.rollback"]
    run = mlops_run_dag(dag, conf={"reason": "wrong prices"})
    assert (run.state, run.tasks) == ("success", {"reverse": "success"})
    assert run.results["reverse"]["version"] == "1"
    assert run.events == {"churn/champion": {"name": "churn", "version": "1"}}
    assert backends.serving.state == Traffic(champion=ModelRef("churn", "1"))
    assert backends.entries()[-1].reasons == ("wrong prices",)


def test_decay_puts_the_champion_before_back_where_the_policy_asks_for_it(
    config, backends, champions, make_context
):
    part = config.healing.model_copy(update={"enabled": True, "roll_back": True})
    window = {"start": "2026-02-27T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
    found = {
        "collected": {"window": window, "uri": "u", "rows": 9, "champion": {"name": "churn", "version": "2"}},
        "quality": {"kind": "data_quality", "uri": "q", "summary": {"upstream_fault": None}},
        "performance": {
            "kind": "performance",
            "uri": "p",
            "summary": {"outcome": "fail", "reasons": ["roc_auc 0.51; 0.70 was promised"]},
        },
    }

    def heal(config, **given):
        return RollBackDecayedOperator(task_id="heal", model=config, **{**found, **given})

    with pytest.raises(AirflowSkipException, match="nothing to heal"):
        heal(config).execute(make_context())
    healing = config.model_copy(update={"healing": part})
    back = heal(healing).execute(make_context("scheduled"))
    assert (back["version"], backends.tracking.aliases["champion"]) == ("1", "1")
    kinds = [entry.kind for entry in backends.entries()]
    assert sorted(kinds[-4:]) == ["healed", "healing_intended", "reversal_intended", "reversed"]
    (done,) = [entry for entry in backends.entries() if entry.kind == "reversed"]
    assert "decay is proven" in done.reasons[0]
    with pytest.raises(AirflowSkipException):
        heal(healing).execute(make_context("scheduled", run_id="r2"))
