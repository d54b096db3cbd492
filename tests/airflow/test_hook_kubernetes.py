"""From Airflow's connections and the YAML to what the Kubernetes target is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlops.backends.kube.settings import GatewayRef, KubernetesSettings
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.config.load import load_model
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.serving import serving_endpoint

MINIMAL = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
TARGET = """\
deploy:
  strategy: STRATEGY
  target:
    type: kubernetes
    namespace: models
    gateway: {name: public}
    image: registry.example.com/model-server:1.4
"""


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    def make(more="", strategy="canary", **connection):
        for name, kind, said in (
            ("KUBERNETES_DEFAULT", "kubernetes", connection),
            ("MLFLOW_DEFAULT", "mlflow", {"host": "http://mlflow.test", "port": 5000}),
            ("PROMETHEUS", "prometheus", {"host": "prometheus.test", "port": 9090, "password": "hush"}),
        ):
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": kind, **said}))
        path = tmp_path / "model.yaml"
        path.write_text(MINIMAL + TARGET.replace("STRATEGY", strategy) + more)
        return serving_endpoint(load_model(path).config)

    return make


def test_the_connections_form_is_handed_on(endpoint):
    found = endpoint(extra={"in_cluster": True})
    assert (found.type, found.url, found.token, found.extra) == (
        "kubernetes",
        None,
        None,
        {"in_cluster": True},
    )
    found = endpoint(host="k8s.test", schema="https", port=6443, password="hush")
    assert (found.url, found.token) == ("https://k8s.test:6443", "hush")
    assert "hush" not in repr(found)


def test_the_pods_are_told_where_mlflow_is_and_what_the_yaml_says_of_rows(endpoint):
    settings = KubernetesSettings.of(endpoint(extra={"in_cluster": True}), None)
    config = load_model_of_minimal()
    assert settings.env == {"MLFLOW_TRACKING_URI": "http://mlflow.test:5000"}
    assert settings.options[:4] == (
        "--key-column",
        config.data.key,
        "--time-column",
        config.data.time_column,
    )
    assert settings.gateway == GatewayRef("public", "models")
    assert settings.timeout_seconds == 600


def test_the_yamls_own_address_of_mlflow_goes_first(endpoint):
    found = endpoint("    env: {MLFLOW_TRACKING_URI: 'http://mlflow.models'}\n", extra={"in_cluster": True})
    assert found.settings["env"] == {"MLFLOW_TRACKING_URI": "http://mlflow.models"}


@pytest.mark.parametrize(("strategy", "previous"), [("canary", "scale_down"), ("blue_green", "keep")])
def test_blue_green_holds_the_champion_before_for_an_instant_return(endpoint, strategy, previous):
    assert endpoint(strategy=strategy).settings["previous"] == previous
    assert endpoint("    previous: remove\n", strategy=strategy).settings["previous"] == "remove"


def test_prometheus_is_found_by_its_connection_and_its_token_kept_apart(endpoint):
    found = endpoint("    prometheus_conn_id: prometheus\n", extra={"in_cluster": True})
    settings = KubernetesSettings.of(found, None)
    assert settings.prometheus == PrometheusEndpoint("http://prometheus.test:9090", "hush")
    assert "hush" not in repr(settings)
    assert "hush" not in repr(found.settings)


def test_a_missing_connection_names_the_command(endpoint, monkeypatch):
    with pytest.raises(ConfigError) as caught:
        endpoint("    conn_id: other\n")
    assert str(caught.value) == (
        "Airflow has no connection 'other' (deploy.target.conn_id of model wine). Add it with: "
        """airflow connections add other --conn-type kubernetes --conn-extra '{"in_cluster": true}'"""
    )


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("flight_delay", "mlops-flight-delay"),
        ("churn", "mlops-churn"),
        ("x" * 64, f"mlops-{'x' * 31}-7ce100971f64e700"[:46]),
    ],
)
def test_names_fit_into_what_a_service_may_be_called(model, base):
    settings = KubernetesSettings(
        model=model, namespace="models", gateway=GatewayRef("public", "models"), image="image:1"
    )
    if len(model) < 60:
        assert settings.base == base
    assert len(f"{settings.base}-v{10**9}") <= 63


def load_model_of_minimal():
    return load_model(Path(__file__).parents[1] / "config" / "minimal.yaml").config
