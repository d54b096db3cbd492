"""Whole rollouts by this package's own steps, on an endpoint in SageMaker's stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy import Deploy, Shadow
from airflow_mlops.core.ledger import Entry, champion_at
from airflow_mlops.core.values import ModelRef, Rollout, RunRef, Traffic
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.steps.bring_up import bring_up
from airflow_mlops.steps.promote import promote
from airflow_mlops.steps.requests import (
    BringUpRequest,
    RollBackRequest,
    RolloutRequest,
    StageRequest,
    TakeChallengerRequest,
)
from airflow_mlops.steps.roll_back import roll_back
from airflow_mlops.steps.run_files import SMOKE_FILE
from airflow_mlops.steps.smoke_serve import smoke_serve
from airflow_mlops.steps.stage import judge_stage, open_stage
from airflow_mlops.steps.take_challenger import take_challenger

from ..contracts.sagemaker_standin import Refused, StandIn, sagemaker, tenths

pytestmark = pytest.mark.slow

ROW = {"temp": 20.5}


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with sagemaker() as stand_in:
        yield stand_in


@pytest.fixture
def aws(running: StandIn) -> StandIn:
    running.reset()
    running.answers = tenths
    return running


@pytest.fixture
def register(backends: Any, make_run: Any) -> Any:
    """``register(version)``: a challenger, and what the evaluation kept for the smoke test."""

    def make(version: str) -> None:
        run = make_run(40 + int(version), run_id=f"t{version}")
        kept = {"rows": [ROW], "predictions": [int(version) / 10]}
        tracked = {"tags": {}, "metrics": {}, "estimator": None}
        backends.tracking.runs[f"run{version}"] = {
            **tracked,
            "files": {SMOKE_FILE: json.dumps(kept).encode()},
        }
        backends.tracking.register("churn", RunRef(f"run{version}", "runs:/x"), {})
        backends.tracking.set_alias("churn", "challenger", version)
        data = {"role": "challenger", "causes": ["drift"]}
        told = {"version": version, "data": data}
        backends.ledger.append(
            Entry("churn", "registered", version, run.now, "churn.train", run.key.run_id, **told)
        )

    return make


class Delivery:
    """One run of the deploy DAG, step by step."""

    def __init__(self, config: ModelConfig, run: Any, backends: Any, aws: StandIn) -> None:
        self.config, self.backends, self.aws = config, backends, aws
        self.run = replace(run, now=aws.clock.now())
        taken = take_challenger(TakeChallengerRequest(config, self.run), backends)
        assert taken is not None
        self.rollout: Rollout = taken

    def up(self) -> str:
        request = BringUpRequest(self.config, self.run, self.rollout.id, self.rollout.candidate)
        for _ in range(20):
            deployment = bring_up(request, self.backends)
            if deployment.ready:
                break
        smoked = smoke_serve(RolloutRequest(self.config, self.run, self.rollout), self.backends)
        return smoked.outcome

    def stage(self, mode: Any, weight: float, rows: int = 500) -> str:
        request = StageRequest(self.config, self.run, self.rollout, mode, weight)
        open_stage(request, self.backends)
        self.aws.clock.to_the_next_minute()
        for _ in range(rows):
            try:
                self.aws.answer("churn", [ROW])
            except Refused:
                continue
        self.aws.clock.to_the_next_minute()
        judged = judge_stage(replace(request, run=replace(self.run, now=self.aws.clock.now())), self.backends)
        return judged.outcome

    def promote(self) -> ModelRef:
        return promote(RolloutRequest(self.config, self.run, self.rollout), self.backends)

    def roll_back(self) -> ModelRef | None:
        return roll_back(RollBackRequest(self.config, self.run, self.rollout, ("it failed",)), self.backends)


@pytest.fixture
def deliver(aws: StandIn, config: ModelConfig, backends: Any, make_run: Any, register: Any) -> Any:
    def begin(version: str, **target: Any) -> Delivery:
        backends.serving = aws.target(model="churn", endpoint="churn", **target)
        register(version)
        run = make_run(50 + int(version), run_id=f"d{version}", dag="deploy")
        if not target:
            return Delivery(config, run, backends, aws)
        guarded = Deploy(strategy="blue_green", shadow=Shadow(enabled=False), analysis=config.deploy.analysis)
        return Delivery(config.model_copy(update={"deploy": guarded}), run, backends, aws)

    return begin


@pytest.fixture
def first(deliver: Any) -> Delivery:
    """The first champion, delivered."""
    delivery: Delivery = deliver("1")
    assert delivery.up() == "pass"
    assert delivery.promote() == ModelRef("churn", "1")
    return delivery


def agree(delivery: Delivery, version: str) -> None:
    """Registry, ledger and SageMaker have one champion, who stands alone."""
    backends = delivery.backends
    reign = champion_at(backends.ledger.entries("churn"))
    assert (backends.tracking.alias("churn", "champion").version, reign.subject) == (version, version)
    assert backends.serving.traffic() == Traffic(champion=ModelRef("churn", version))
    assert len(delivery.aws.endpoint("churn").production_variants) == 1


def test_a_challenger_goes_through_shadow_and_canary_and_is_promoted(first: Delivery, deliver: Any) -> None:
    delivery = deliver("2")
    assert delivery.up() == "pass"
    assert delivery.stage("shadow", 0.0) == "pass"
    assert delivery.stage("canary", 0.1, rows=2_600) == "pass"
    assert delivery.stage("canary", 0.5, rows=500) == "pass"
    assert delivery.promote() == ModelRef("churn", "2")
    agree(delivery, "2")


def test_a_challenger_that_breaks_is_rolled_back_within_its_stage(
    first: Delivery, deliver: Any, aws: StandIn
) -> None:
    delivery = deliver("2")
    assert delivery.up() == "pass"
    assert delivery.stage("shadow", 0.0) == "pass"
    aws.answers = lambda version, rows: _breaks() if version == "2" else tenths(version, rows)
    assert delivery.stage("canary", 0.1, rows=500) == "fail"
    assert delivery.roll_back() == ModelRef("churn", "1")
    agree(delivery, "1")


def _breaks() -> list[Any]:
    raise Refused("out of memory", status=500)


def test_a_challenger_that_answers_otherwise_than_it_was_evaluated_is_taken_down(
    first: Delivery, deliver: Any, aws: StandIn
) -> None:
    delivery = deliver("2")
    aws.answers = lambda version, rows: [0.9] * len(rows)
    assert delivery.up() == "fail"
    assert delivery.roll_back() == ModelRef("churn", "1")
    agree(delivery, "1")


def test_a_guarded_rollout_that_sagemakers_alarms_took_back_ends_with_the_champion(
    first: Delivery, deliver: Any, aws: StandIn
) -> None:
    delivery = deliver("2", guardrails={"alarms": ["errors"]})
    assert delivery.up() == "pass"
    aws.next_change_fails("Alarm errors is in alarm state")
    with pytest.raises(ModelRefused, match="Alarm errors is in alarm state"):
        delivery.stage("canary", 1.0)
    assert delivery.roll_back() == ModelRef("churn", "1")
    agree(delivery, "1")


def test_a_guarded_rollout_is_judged_once_the_challenger_answers_everything(
    first: Delivery, deliver: Any
) -> None:
    delivery = deliver("2", guardrails={"alarms": ["errors"]})
    assert delivery.up() == "pass"
    assert delivery.stage("canary", 1.0, rows=500) == "pass"
    assert delivery.promote() == ModelRef("churn", "2")
    agree(delivery, "2")
