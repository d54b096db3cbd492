"""What a YAML may say of an endpoint in SageMaker, and which rollouts it can have there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.deploy import Deploy
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
TARGET = """\
deploy:
  REST
  target:
    type: sagemaker
    endpoint: flights
    role: arn:aws:iam::123456789012:role/sagemaker
    image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow-pyfunc:3.17.2
    model_data: s3://models/flights
"""
GUARDRAILS = "    guardrails: {alarms: [errors], shift: canary, percent: 10}\n"


@pytest.fixture
def load(tmp_path: Path):
    def load_text(more: str = "", rest: str = "strategy: canary") -> Deploy:
        path = tmp_path / "model.yaml"
        path.write_text(MINIMAL + TARGET.replace("REST", rest) + more)
        return load_model(path).config.deploy

    return load_text


def test_a_few_keys_are_enough_and_weights_can_do_every_strategy_but_one(load: Any) -> None:
    target = load().target
    assert (target.conn_id, target.region, target.instance_type, target.instance_count) == (
        "aws_default", None, "ml.m5.large", 1,
    )  # fmt: skip
    for strategy in ("shadow", "canary", "blue_green", "direct"):
        assert load(rest=f"strategy: {strategy}").target.guardrails is None
    with pytest.raises(InvalidConfig, match=r"may answer one data\.key now by one version"):
        load(rest="strategy: ab")


@pytest.mark.parametrize("strategy", ["blue_green", "direct"])
def test_guardrails_go_with_strategies_that_move_everything(load: Any, strategy: str) -> None:
    deploy = load(GUARDRAILS, f"strategy: {strategy}\n  shadow: {{enabled: false}}")
    assert deploy.target.guardrails.seconds == 5 * 60 + 10 * 60


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("strategy: canary\n  shadow: {enabled: false}", "no canary; set strategy: blue_green or direct, or"),
        (
            "strategy: ab\n  shadow: {enabled: false}",
            "there is no canary; set strategy: blue_green or direct",
        ),
        (
            "strategy: blue_green",
            r"there is no shadow; set shadow: \{enabled: false\}, or leave guard",
        ),
        ("strategy: shadow", "there is no shadow"),
    ],
)
def test_a_strategy_that_guardrails_cannot_do_is_refused_at_their_key(
    load: Any, rest: str, told: str
) -> None:
    with pytest.raises(InvalidConfig, match=told) as caught:
        load(GUARDRAILS, rest)
    assert "deploy.target.guardrails" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("    region: Frankfurt\n", "region"),
        ("    instance_type: m5.large\n", "instance_type"),
        ("    subnets: [subnet-1]\n", "subnets and security_groups go together"),
        ("    guardrails: {alarms: []}\n", "alarms"),
        ("    guardrails: {alarms: [a], wait: 2 hours}\n", "SageMaker waits an hour at most"),
        ("    guardrails: {alarms: [a], bake: 2 hours}\n", "SageMaker waits an hour at most"),
        ("    guardrails: {alarms: [a], timeout: 9 hours}\n", "from 10 minutes to 8 hours"),
        ("    guardrails: {alarms: [a], timeout: 10 minutes}\n", "shorter than all waits and the bake"),
        ("    guardrails: {alarms: [a], percent: 60}\n", "a canary shift moves 50 percent at most"),
        ("    guardrails: {alarms: [a], shift: linear, percent: 5}\n", "moves 10 percent at least"),
        ("    endpoints: flights\n", "did you mean 'endpoint'"),
    ],
)
def test_what_aws_would_refuse_is_told_at_its_key(load: Any, more: str, told: str) -> None:
    with pytest.raises(InvalidConfig, match=told):
        load(more)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("endpoint", "flight_delay"),
        ("endpoint", "f" * 60),
        ("role", "sagemaker"),
        ("model_data", "/data/models"),
        ("model_data", "s3://models/"),
    ],
)
def test_a_name_that_aws_does_not_take_is_told_before_anything_is_trained(
    load: Any, key: str, value: str, tmp_path: Path
) -> None:
    lines = [
        f"    {key}: {value}" if line.strip().startswith(f"{key}:") else line for line in TARGET.splitlines()
    ]
    path = tmp_path / "other.yaml"
    path.write_text(MINIMAL + "\n".join(lines).replace("REST", "strategy: canary") + "\n")
    with pytest.raises(InvalidConfig, match=key):
        load_model(path)
