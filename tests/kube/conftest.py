"""One cluster for this folder: the stand-in, or a real API server where KUBEBUILDER_ASSETS is set."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.backends.kube.api import DEPLOYMENTS, NAMESPACES, KubeApi, Object
from airflow_mlops.testing.kube import Cluster, User, cluster

WORKER = "worker-token"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    tiny = [sys.executable, "-S", str(Path(__file__).with_name("tiny_server.py"))]
    users = {WORKER: User("system:serviceaccount:airflow:worker")}
    with cluster(tmp_path_factory.mktemp("kube"), {"tiny:1": tiny}, users=users) as running:
        yield running


@pytest.fixture
def api(kube: Cluster) -> KubeApi:
    return kube.api


@pytest.fixture
def namespace(kube: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{abs(hash(request.node.nodeid)) % 10**8}"
    kube.api.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    # The namespace first, that no controller makes another one meanwhile. Nothing collects what is left in
    # it: that is a controller's work too.
    kube.api.delete(NAMESPACES, None, name)
    for one in kube.api.find(DEPLOYMENTS, name):
        kube.api.delete(DEPLOYMENTS, name, one["metadata"]["name"])


@pytest.fixture
def other(kube: Cluster) -> Iterator[KubeApi]:
    """Another program that writes to the same objects."""
    client = KubeApi(kube.access, manager="somebody-else")
    yield client
    client.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a call answers with something true, at most half a minute; that answer."""

    def wait(call: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 30
        while not (found := call()):
            assert time.monotonic() < deadline, "it did not come about in 30 seconds"
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def deployment() -> Callable[..., Object]:
    """A Deployment of the tiny server; ``container`` adds to or replaces keys of its container."""

    def make(name: str, replicas: int = 1, **container: Any) -> Object:
        labels = {"app": name}
        server = {
            "name": "server",
            "image": "tiny:1",
            "args": [name, "0.0.0.0", "8800"],
            "ports": [{"name": "http", "containerPort": 8800, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
            **container,
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [server]}}
        return {
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        }

    return make


@pytest.fixture
def repository() -> Path:
    return Path(__file__).parents[2]
