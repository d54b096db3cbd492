"""What a YAML may say of a model that KServe serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.config.load import load_model
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import InvalidConfig

MINIMAL = (Path(__file__).parent / "minimal.yaml").read_text()
TARGET = "deploy:\n  REST\n  target: {type: kserve, namespace: models, image: 'server:1'MORE}\n"


def load(tmp_path: Path, rest: str = "shadow: {enabled: false}", more: str = "") -> ModelConfig:
    path = tmp_path / "model.yaml"
    path.write_text(MINIMAL + TARGET.replace("REST", rest).replace("MORE", more))
    return load_model(path).config


def test_a_shadow_is_refused_and_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"shadow: \{enabled: false\}"):
        load(tmp_path, "strategy: canary")
    assert load(tmp_path).deploy.target.type == "kserve"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (", mode: raw", "mode"),
        (", replicas: 0", "replicas"),
        (", storage_url: x", "did you mean 'storage_uri'"),
    ],
)
def test_what_kserve_would_refuse_is_told_at_its_key(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(InvalidConfig, match=told):
        load(tmp_path, more=more)


def test_the_connection_and_the_yaml_make_the_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, said in (
        ("KUBERNETES_DEFAULT", {"conn_type": "kubernetes", "host": "k8s.test", "password": "hush"}),
        ("MLFLOW_DEFAULT", {"conn_type": "mlflow", "host": "http://mlflow.test", "port": 5000}),
    ):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(said))
    from airflow_mlops.hooks.serving import serving_endpoint

    endpoint = serving_endpoint(load(tmp_path, more=", mode: standard, storage_uri: 's3://m/{version}'"))
    settings = KServeSettings.of(endpoint, None)
    assert (endpoint.type, settings.mode, settings.storage_uri) == ("kserve", "standard", "s3://m/{version}")
    assert settings.env == {"MLFLOW_TRACKING_URI": "http://mlflow.test:5000"}
    assert settings.options[0] == "--key-column"
    assert "hush" not in repr(endpoint)
