"""A kubelet without containers: each container of a pod is a process on this machine.

``images`` says which program stands for an image: the words that the image's entrypoint has. A pod has an
address of its own on loopback, and folders in place of its volumes: ``0.0.0.0`` and the mounted paths in a
container's words and variables are replaced by them. There are no limits, users or namespaces of the kernel.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from airflow_mlops.backends.kube.api import NODES, PODS, KubeApi, Object
from airflow_mlops.testing.kube.informer import Controller
from airflow_mlops.testing.kube.kubelet_server import kubelet_server
from airflow_mlops.testing.kube.place import PodSetup
from airflow_mlops.testing.kube.pod import PodRunner

_NODE = "this-machine"
_PODS = itertools.count()


class ProcessKubelet(Controller):
    """Binds pods that have no node yet, runs them, and writes their status.

    ``second`` is how long a second of probes, back-offs and grace periods lasts: tests hurry. ``holding``
    keeps it from taking new pods, as a cluster does that has no room.
    """

    kinds = (PODS,)
    pause_seconds = 0.2

    def __init__(
        self,
        api: KubeApi,
        folder: Path,
        images: Mapping[str, Sequence[str]],
        *,
        second: float = 1.0,
        addresses: Iterator[str] | None = None,
    ) -> None:
        super().__init__(api)
        self._setup = PodSetup(api, folder, images, second)
        self._addresses = addresses or _loopback_addresses()
        self._running: dict[str, PodRunner] = {}
        self.holding = threading.Event()
        self._server = kubelet_server(self._log)

    def start(self) -> None:
        port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kubelet", daemon=True).start()
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": _NODE}}
        if self.api.get(NODES, None, _NODE) is None:
            self.api.create(NODES, None, body)
        self.api.merge(NODES, None, _NODE, {"status": status}, subresource="status")
        super().start()

    def stop(self) -> None:
        """End every process; the pods' objects stay as they are."""
        super().stop()
        for runner in self._running.values():
            runner.kill()
        for runner in self._running.values():
            runner.join()
        self._server.shutdown()
        self._server.server_close()

    def reconcile(self) -> None:
        pods = self.seen["Pod"].all()
        own = [pod for pod in pods if pod["spec"].get("nodeName") == _NODE]
        for pod in own:
            self._run_pod(pod)
        for uid in self._running.keys() - {pod["metadata"]["uid"] for pod in own}:
            self._running.pop(uid).kill()
        if not self.holding.is_set():
            self.for_each((pod for pod in pods if not pod["spec"].get("nodeName")), self._bind)

    def _bind(self, pod: Object) -> None:
        metadata = pod["metadata"]
        target = {"apiVersion": "v1", "kind": "Node", "name": _NODE}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"]},
            "target": target,
        }
        self.api.post(PODS, metadata["namespace"], metadata["name"], "binding", body)

    def _run_pod(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        runner = self._running.get(uid)
        if runner is None:
            runner = self._running[uid] = PodRunner(self._setup, pod, next(self._addresses))
            runner.start()
        if "deletionTimestamp" in pod["metadata"]:
            runner.end(pod["metadata"].get("deletionGracePeriodSeconds", 30))

    def _log(self, namespace: str, pod: str, container: str, previous: bool) -> bytes | None:
        for runner in list(self._running.values()):
            if (runner.namespace, runner.pod_name) == (namespace, pod):
                return runner.log(container, previous=previous)
        return None


def _loopback_addresses() -> Iterator[str]:
    """All of 127/8 is this machine, and each pod may listen on the same port: every process has addresses of
    its own, and none of them twice, for a pod that was told to end may still listen."""
    first = os.getpid() * 97
    for number in _PODS:
        network = (first + number // 250) % 60_000
        yield f"127.{10 + network // 250}.{network % 250}.{number % 250 + 1}"
