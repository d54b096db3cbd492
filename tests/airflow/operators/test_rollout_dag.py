"""A deploy DAG written by hand, run by Airflow itself: which tasks run, skip and fail, and how it ends."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG, Asset

from airflow_mlops.core.values import Deployment
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.operators import (
    AnnounceOperator,
    CanaryStepOperator,
    ConcludeRolloutOperator,
    DeployCanaryOperator,
    PromoteModelOperator,
    ShadowOperator,
    SmokeServeOperator,
    TakeChallengerOperator,
    UndoRolloutOperator,
)
from airflow_mlops.steps import catalog as steps

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

PASSED = {"outcome": "pass", "reasons": ["3 answers"]}
STAGES = ("shadow", "canary_10", "canary_50")


@pytest.fixture
def scripted(monkeypatch, backends, rollout):
    """Steps that need a model answer by this script; stages and the rollback are the real ones."""
    script = {"take_challenger": rollout, "smoke_serve": PASSED, "promote": rollout["candidate"]}
    real = steps.run_step

    def run_step(name, request, connected):
        if name not in script:
            return real(name, request, connected)
        if isinstance(script[name], Exception):
            raise script[name]
        return script[name]

    monkeypatch.setattr(steps, "run_step", run_step)
    return script


@pytest.fixture
def deploy(config, mlops_run_dag, scripted):
    def run():
        with DAG("churn.deploy", auto_register=False) as dag:
            rollout = TakeChallengerOperator(task_id="take", model=config).output
            given = {"model": config, "rollout": rollout}
            smoke = SmokeServeOperator(task_id="smoke", **given)
            shadow = ShadowOperator(task_id="shadow", **given)
            ten = CanaryStepOperator(task_id="canary_10", weight=0.1, **given)
            half = CanaryStepOperator(task_id="canary_50", weight=0.5, **given)
            verdicts = [task.output for task in (smoke, shadow, ten, half)]
            conclude = ConcludeRolloutOperator(
                task_id="conclude",
                promote_task_id="promote",
                roll_back_task_id="roll_back",
                verdicts=verdicts,
                **given,
            )
            promote = PromoteModelOperator(task_id="promote", **given)
            back = UndoRolloutOperator(task_id="roll_back", verdicts=verdicts, **given)
            announce = AnnounceOperator(
                task_id="announce", outlets=[Asset("churn/champion")], value=promote.output
            )
            smoke >> shadow >> ten >> half >> conclude >> [promote, back]
            promote >> announce
        return mlops_run_dag(dag)

    return run


def test_a_good_challenger_is_promoted_and_announced(deploy, backends, few, good):
    backends.serving.looks = [few, good]
    run = deploy()
    assert run.state == "success"
    assert {name for name, state in run.tasks.items() if state != "success"} == {"roll_back"}
    assert run.tasks["roll_back"] == "skipped"
    assert run.events["churn/champion"]["version"] == "2"
    assert [entry.kind for entry in backends.entries()] == ["shadowed", "canary_step", "canary_step"]


def test_a_challenger_that_fails_in_the_canary_is_rolled_back_and_the_run_is_green(
    deploy, backends, good, failing
):
    # The real endpoint starts a stage's numbers anew; here each stage shows the next look.
    backends.serving.looks = [good, good, failing]
    run = deploy()
    assert run.state == "success"
    held = run.results["canary_10"]
    assert held["outcome"] == "fail"
    assert run.tasks["canary_50"] == run.tasks["promote"] == run.tasks["announce"] == "skipped"
    assert run.tasks["roll_back"] == "success"
    assert run.events == {}
    assert backends.serving.state.mode == "none"


def test_a_first_model_skips_its_stages_and_is_promoted(deploy, backends, scripted, rollout):
    scripted["take_challenger"] = {**rollout, "champion": None}
    run = deploy()
    assert [run.tasks[name] for name in STAGES] == ["skipped"] * 3
    assert (run.tasks["promote"], run.tasks["roll_back"]) == ("success", "skipped")


def test_a_run_with_nothing_pending_skips_all_and_ends_green(deploy, scripted):
    scripted["take_challenger"] = None
    run = deploy()
    assert run.state == "success"
    assert set(run.tasks.values()) == {"skipped"}


def test_a_stage_that_breaks_leads_to_the_rollback_and_a_red_run(deploy, backends):
    backends.serving.looks = [DataRefused("the gateway speaks another version")]
    run = deploy()
    assert run.tasks["shadow"] == "failed"
    assert (run.tasks["roll_back"], run.tasks["promote"]) == ("failed", "skipped")
    assert run.state == "failed"
    assert backends.serving.state.mode == "none"


def test_a_challenger_that_cannot_be_taken_fails_the_run(deploy, scripted):
    scripted["take_challenger"] = DataRefused("the ledger is not readable")
    run = deploy()
    assert run.state == "failed"
    assert run.tasks["take"] == run.tasks["conclude"] == "failed"
    assert run.tasks["roll_back"] == "skipped"


def test_a_rollout_in_one_task_is_deferred_in_its_stages_and_promoted_by_the_next(
    backends, config, mlops_run_dag, scripted, few, good
):
    backends.serving.coming_up = [Deployment(False, "1 of 2 pods are up"), Deployment(True, "up")]
    backends.serving.looks = [few, good]
    with DAG("churn.by_hand", auto_register=False) as dag:
        canary = DeployCanaryOperator(task_id="canary", model=config)
        PromoteModelOperator(task_id="promote", model=config, rollout=canary.output)
    run = mlops_run_dag(dag)
    assert run.tasks == {"canary": "success", "promote": "success"}
    assert (run.results["canary"]["outcome"], run.results["promote"]["version"]) == ("pass", "2")
    assert [entry.kind for entry in backends.entries()] == ["shadowed", "canary_step", "canary_step"]
    assert (backends.serving.state.mode, backends.serving.state.weight) == ("canary", 0.5)
