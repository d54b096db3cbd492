"""From a connection to an API server: whoever the connection says we are."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from airflow_mlops.backends.kube.access import Access, connection_access, in_cluster
from airflow_mlops.backends.kube.api import PODS, KubeApi
from airflow_mlops.exceptions import BackendUnavailable, ConfigError
from airflow_mlops.testing.kube import StandIn
from airflow_mlops.testing.kube.certificates import own_certificate


def kubeconfig(user: dict, **cluster: object) -> dict:
    return {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "models"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.test:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }


def test_a_host_with_a_token() -> None:
    extra = {"ca_cert": "/etc/ca.pem", "namespace": "models"}
    assert connection_access("https://k8s.test", "hush", extra) == Access(
        "https://k8s.test", "hush", ca_file="/etc/ca.pem", namespace="models"
    )


@pytest.mark.parametrize("form", [json.dumps, dict])
def test_a_kubeconfig_in_the_connection(form) -> None:
    found = connection_access(None, None, {"kube_config": form(kubeconfig({"token": "hush"}))})
    assert found == Access("https://k8s.test:6443", "hush", namespace="models")
    assert "hush" not in repr(found)


def test_a_kubeconfig_in_a_file_and_another_context(tmp_path) -> None:
    config = kubeconfig({"token": "hush"})
    config["contexts"].append({"name": "two", "context": {"cluster": "c", "user": "v"}})
    config["users"].append({"name": "v", "user": {"token": "other"}})
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    extra = {"extra__kubernetes__kube_config_path": str(file), "cluster_context": "two"}
    assert connection_access(None, None, extra).token == "other"


def test_a_kubeconfig_whose_program_gives_the_token(tmp_path) -> None:
    program = tmp_path / "login"
    program.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        "asked = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "status = {'token': os.environ['WHO'] + '-token'}\n"
        "print(json.dumps({'apiVersion': asked['apiVersion'], 'status': status}))\n"
    )
    program.chmod(0o755)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(program),
        "env": [{"name": "WHO", "value": "ada"}],
    }
    assert connection_access(None, None, {"kube_config": kubeconfig({"exec": plugin})}).token == "ada-token"
    plugin["command"] = "no-such-program"
    with pytest.raises(ConfigError, match="'no-such-program', which this worker does not have"):
        connection_access(None, None, {"kube_config": kubeconfig({"exec": plugin})})
    plugin["command"] = "false"
    with pytest.raises(BackendUnavailable, match=r"'false', by which .* logs in, failed"):
        connection_access(None, None, {"kube_config": kubeconfig({"exec": plugin})})


def test_a_pods_own_account(tmp_path, monkeypatch) -> None:
    for name, text in (("token", "hush\n"), ("namespace", "models")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert in_cluster(tmp_path) == Access(
        "https://[fd00::1]:443", "hush", ca_file=str(tmp_path / "ca.crt"), namespace="models"
    )
    with pytest.raises(ConfigError, match="in_cluster is set, but this is no pod"):
        connection_access(None, None, {"in_cluster": True})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"kube_config": "a: ["}, "kube_config of the Airflow connection is not a whole kubeconfig"),
        ({"kube_config": {"current-context": "x"}}, "contexts: x"),
        ({"kube_config_path": "/no/such/file"}, "/no/such/file cannot be read"),
        ({"kube_config": kubeconfig({"tokenFile": "/no/such/token"})}, "tokenFile .*/no/such/token"),
        ({"kube_config": kubeconfig({"auth-provider": {"name": "gcp"}})}, "use an exec plugin or a token"),
        (
            {
                "kube_config": kubeconfig(
                    {}, **{"certificate-authority-data": base64.b64encode(b"x").decode()}
                )
            },
            "not a certificate in PEM form",
        ),
    ],
)
def test_what_cannot_be_used_is_named(extra, message) -> None:
    with pytest.raises(ConfigError, match=message):
        connection_access(None, None, extra)


def test_a_certificate_that_cannot_be_read_is_the_connections_fault() -> None:
    access = connection_access("https://127.0.0.1:9", "hush", {"ca_cert": "/no/such/ca.pem"})
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9 cannot be read.*No such file.*conn_id"):
        KubeApi(access).find(PODS, "default")


def test_the_certificate_is_looked_at_unless_that_is_switched_off() -> None:
    certificate = own_certificate("kubernetes")
    with StandIn().serving(certificate=certificate) as url:
        for extra in ({"ca_cert": certificate.decode()}, {"disable_verify_ssl": True}):
            assert KubeApi(connection_access(url, "admin-token", extra)).find(PODS, "default") == []
        with pytest.raises(BackendUnavailable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            KubeApi(connection_access(url, "admin-token", {})).find(PODS, "default")


def test_a_client_certificate_leaves_no_file_behind(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    certificate = base64.b64encode(own_certificate("ada")).decode()
    user = {"client-certificate-data": certificate, "client-key-data": certificate}
    with StandIn().serving(certificate=own_certificate("kubernetes")) as url:
        config = kubeconfig(user, **{"insecure-skip-tls-verify": True, "server": url})
        with pytest.raises(BackendUnavailable, match="does not know our token"):
            KubeApi(connection_access(None, None, {"kube_config": config})).find(PODS, "default")
    assert list(Path(tmp_path).iterdir()) == []
