"""What only the stand-in can be asked: a short history, and a real client of the API."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from airflow_mlops.backends.kube.access import Access, kubeconfig_access
from airflow_mlops.backends.kube.api import CONFIG_MAPS, KubeApi, KubeRefused
from airflow_mlops.testing.kube import StandIn
from airflow_mlops.testing.kube.certificates import own_certificate


def test_a_version_that_is_too_old_to_watch_from_is_gone() -> None:
    stand_in = StandIn(history=2)
    with stand_in.serving() as url:
        api = KubeApi(Access(url, "admin-token"))
        for name in ("a", "b", "c", "d"):
            api.create(
                CONFIG_MAPS, "default", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            )
        with pytest.raises(KubeRefused, match="too old resource version") as caught:
            list(api.watch(CONFIG_MAPS, "default", "1", silence_seconds=1))
        assert caught.value.code == 410


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
def test_kubectl_applies_conflicts_reads_and_deletes(tmp_path: Path) -> None:
    stand_in = StandIn()
    certificate = own_certificate("kubernetes")
    with stand_in.serving(certificate=certificate) as url:
        config = tmp_path / "kubeconfig"
        authority = base64.b64encode(certificate).decode()
        config.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "it",
                    "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
                    "clusters": [
                        {"name": "it", "cluster": {"server": url, "certificate-authority-data": authority}}
                    ],
                    "users": [{"name": "me", "user": {"token": "admin-token"}}],
                }
            )
        )

        def kubectl(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["kubectl", f"--kubeconfig={config}", f"--cache-dir={tmp_path / 'cache'}", *words],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env={**os.environ, "HOME": str(tmp_path)},
            )

        body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '1'}\n"
        applied = kubectl("apply", "--server-side", "--validate=false", "-f", "-", stdin=body)
        assert "configmap/one serverside-applied" in applied.stdout, applied.stderr
        access = kubeconfig_access(config.read_text(), str(config))
        KubeApi(access, manager="us").merge(CONFIG_MAPS, "default", "one", {"data": {"a": "2"}})
        again = kubectl("apply", "--server-side", "--validate=false", "-f", "-", stdin=body)
        assert 'conflict with "us" using v1' in again.stderr
        assert kubectl("get", "configmap", "one", "-o", "jsonpath={.data.a}").stdout == "2"
        assert "deleted" in kubectl("delete", "configmap", "one", "--wait=false").stdout
