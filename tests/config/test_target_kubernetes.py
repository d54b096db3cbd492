"""What a YAML may say of a model that Kubernetes serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.deploy import Deploy
from airflow_mlops.config.parts.deploy_target_kubernetes import KubernetesTargetConfig
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
TARGET = """\
deploy:
  REST
  target:
    type: kubernetes
    gateway: {name: public, namespace: gateways}
    image: registry.example.com/model-server:1.4
"""


@pytest.fixture
def load(tmp_path: Path):
    def load_text(more: str = "", rest: str = "strategy: canary") -> Deploy:
        path = tmp_path / "model.yaml"
        path.write_text(MINIMAL + TARGET.replace("REST", rest) + more)
        return load_model(path).config.deploy

    return load_text


@pytest.mark.parametrize("strategy", ["shadow", "canary", "blue_green", "direct"])
def test_a_gateway_and_an_image_are_enough_for_every_strategy_but_one(load: Any, strategy: str) -> None:
    target = load(rest=f"strategy: {strategy}").target
    assert isinstance(target, KubernetesTargetConfig)
    assert (target.conn_id, target.replicas, target.timeout) == ("kubernetes_default", 1, "10 minutes")
    assert (target.command, target.previous) == (("airflow-mlops", "serve"), None)


def test_a_split_by_request_holds_no_key_to_a_version(load: Any) -> None:
    with pytest.raises(InvalidConfig, match=r"target\.type: .* may answer one data\.key now"):
        load(rest="strategy: ab")


def test_replicas_may_be_left_to_an_autoscaler_and_numbers_to_prometheus(load: Any) -> None:
    target = load("    replicas: null\n    prometheus_conn_id: prometheus\n").target
    assert (target.replicas, target.prometheus_conn_id) == (None, "prometheus")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("    replicas: 0\n", "replicas"),
        ("    port: 70000\n", "port"),
        ("    namespace: My_Models\n", "namespace"),
        ("    secrets: [TOKEN=hush]\n", "secrets"),
        ("    previous: delete\n", "previous"),
        ("    resources: {request: {cpu: 1}}\n", "did you mean 'requests'"),
        ("    hostnames: [x]\n", "did you mean 'hostname'"),
    ],
)
def test_what_the_cluster_would_refuse_is_told_at_its_key(load: Any, more: str, told: str) -> None:
    with pytest.raises(InvalidConfig, match=told):
        load(more)
