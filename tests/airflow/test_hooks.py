"""Hooks: from a connection to an address, and the "Test" button against real servers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.config.load import load_model
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.backends import connect_store, endpoints
from airflow_mlops.hooks.connections import address
from airflow_mlops.hooks.gateway import GatewayHook
from airflow_mlops.hooks.mlflow import MlflowHook
from airflow_mlops.hooks.prometheus import PrometheusHook


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": "m.test"}, "http://m.test"),
        ({"host": "m.test", "port": 5000, "schema": "https"}, "https://m.test:5000"),
        ({"host": "https://m.test/mlflow/"}, "https://m.test/mlflow"),
        ({"host": "http://m.test", "port": 5000}, "http://m.test:5000"),
        ({"host": "sqlite:////data/mlflow.db"}, "sqlite:////data/mlflow.db"),
    ],
)
def test_an_address_is_put_together_from_what_is_given(given, expected):
    assert address(Connection(conn_id="c", conn_type="mlflow", **given)) == expected


def test_a_connection_without_a_host_is_refused():
    with pytest.raises(ConfigError, match="connection 'c' has no host"):
        address(Connection(conn_id="c", conn_type="mlflow"))


def test_a_batch_model_needs_no_connection_to_a_server(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://mlflow.test:5000")
    text = (Path(__file__).parents[1] / "config" / "minimal.yaml").read_text()
    path = tmp_path / "wine.yaml"
    path.write_text(f"{text}deploy: {{target: {{type: batch}}, strategy: direct}}\nscore: {{}}\n")
    found = endpoints(load_model(path).config, needs_serving=True)
    assert found.serving == ServingEndpoint("batch", "wine", settings={"trusted_types": []})


def test_a_missing_connection_names_the_command_and_who_wants_it():
    with pytest.raises(ConfigError) as caught:
        GatewayHook("mlops_gateway_eu", wanted_by="deploy.target.conn_id of model churn").get_conn()
    assert str(caught.value) == (
        "Airflow has no connection 'mlops_gateway_eu' (deploy.target.conn_id of model churn). Add it with: "
        "airflow connections add mlops_gateway_eu --conn-type mlops_gateway --conn-schema http "
        "--conn-host 127.0.0.1 --conn-port 8800"
    )


@pytest.fixture
def server():
    """A server that is healthy, and answers admin calls to who knows the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers.get("Authorization") == "Bearer t0ken"
            self.send_response(200 if known or self.path == "/health" else 401)
            self.end_headers()

        def log_message(self, *_):
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_port
        running.shutdown()
        thread.join()


def test_the_test_button_tells_health_wrong_tokens_and_absence_apart(server, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", f"mlflow://127.0.0.1:{server}")
    assert MlflowHook().test_connection() == (True, f"MLflow at http://127.0.0.1:{server} is healthy")
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT", f"mlops-gateway://:t0ken@127.0.0.1:{server}")
    assert GatewayHook().test_connection()[0]
    monkeypatch.setenv("AIRFLOW_CONN_MLOPS_GATEWAY_DEFAULT", f"mlops-gateway://:wrong@127.0.0.1:{server}")
    fine, message = GatewayHook().test_connection()
    assert not fine
    assert "refuses the token" in message
    assert "wrong" not in message
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://127.0.0.1:1")
    assert "does not answer" in MlflowHook().test_connection()[1]


def test_endpoints_hold_addresses_and_secrets_of_the_model(mlops_store, model_yaml, monkeypatch):
    config = load_model(model_yaml()).config
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://:s3cret@m.test:5000")
    with pytest.raises(ConfigError, match="mlops_gateway_default"):
        endpoints(config, needs_serving=True)
    found = endpoints(config)
    assert (found.store, found.tracking, found.tracking_token) == (
        str(mlops_store),
        "http://m.test:5000",
        "s3cret",
    )
    assert found.serving is None


def test_the_ledger_is_reached_without_any_connection(mlops_store):
    assert connect_store().ledger.entries("churn") == []


def test_a_prometheus_is_reached_with_a_token_or_a_login_and_what_the_extra_adds(monkeypatch):
    said = {"conn_type": "prometheus", "host": "https://m.test/prometheus", "password": "s3cret"}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(said))
    endpoint = PrometheusHook().endpoint
    assert (endpoint.url, endpoint.token, endpoint.login) == ("https://m.test/prometheus", "s3cret", None)
    extra = {"verify": False, "headers": {"X-Scope-OrgID": "shop"}}
    monkeypatch.setenv(
        "AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps({**said, "login": "ada", "extra": extra})
    )
    endpoint = PrometheusHook().endpoint
    assert (endpoint.token, endpoint.login, endpoint.password) == (None, "ada", "s3cret")
    assert (endpoint.verify, endpoint.headers) == (False, {"X-Scope-OrgID": "shop"})


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"header": {"a": "b"}}, "unknown extra 'header'; did you mean 'headers'?"),
        ({"timeout_seconds": "soon"}, "is wrong: timeout_seconds: "),
    ],
)
def test_a_wrong_extra_of_a_prometheus_is_named(monkeypatch, extra, problem):
    said = {"conn_type": "prometheus", "host": "m.test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(said))
    with pytest.raises(ConfigError) as caught:
        _ = PrometheusHook().endpoint
    assert problem in str(caught.value)


def test_the_test_button_asks_a_prometheus_for_a_number(monkeypatch, prometheus_stand_in):
    prometheus_stand_in.answers = {"vector(1)": 1}
    host, port = prometheus_stand_in.url.removeprefix("http://").split(":")
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", f"prometheus://{host}:{port}")
    assert PrometheusHook().test_connection() == (True, f"Prometheus at http://{host}:{port} answers")
    prometheus_stand_in.answers = {"vector(1)": (401, "who are you?")}
    assert "refuses the caller" in PrometheusHook().test_connection()[1]
