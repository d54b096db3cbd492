"""One pod as processes: started, probed, started again when they end, and ended when it is deleted."""

from __future__ import annotations

import threading
import time
from typing import Any

from airflow_mlops.backends.kube.api import PODS, KubeRefused, Object
from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.testing.kube.container import Container
from airflow_mlops.testing.kube.objects import now
from airflow_mlops.testing.kube.place import Place, PodSetup

_TURN_SECONDS = 0.03


class PodRunner(threading.Thread):
    """A thread for one pod. Its containers are looked at some thirty times a second."""

    def __init__(self, setup: PodSetup, pod: Object, address: str) -> None:
        self.namespace: str = pod["metadata"]["namespace"]
        self.pod_name: str = pod["metadata"]["name"]
        super().__init__(name=f"pod-{self.pod_name}", daemon=True)
        self._setup = setup
        self._pod = pod
        self._address = address
        self._started_at = now()
        self._ending = threading.Event()
        self._grace_seconds: float = 30
        self._written: Object = {}
        place = Place(setup, pod, address)
        self._containers = [Container(place, one) for one in pod["spec"]["containers"]]

    def end(self, grace_seconds: float) -> None:
        """End it as its deletion asks: SIGTERM, then SIGKILL after the grace period, then the object goes."""
        self._grace_seconds = grace_seconds
        self._ending.set()

    def kill(self) -> None:
        """End the processes now; the object is somebody else's matter, or gone."""
        self._grace_seconds = -1
        self._ending.set()

    def log(self, container: str, *, previous: bool) -> bytes | None:
        for one in self._containers:
            if one.name == container:
                return one.log(previous=previous)
        return None

    def run(self) -> None:
        while not self._ending.is_set():
            for container in self._containers:
                container.turn(time.monotonic())
            self._publish()
            self._ending.wait(_TURN_SECONDS)
        grace = max(self._grace_seconds, 0) * self._setup.second
        for container in self._containers:
            container.terminate()
        deadline = time.monotonic() + grace
        for container in self._containers:
            container.wait(max(deadline - time.monotonic(), 0))
        if self._grace_seconds >= 0:
            self._try(lambda: self._setup.api.delete(PODS, self.namespace, self.pod_name, grace_seconds=0))

    def _publish(self) -> None:
        status = self._status()
        if status == self._written:
            return
        change = {"status": status}
        if self._try(
            lambda: self._setup.api.merge(PODS, self.namespace, self.pod_name, change, subresource="status")
        ):
            self._written = status

    def _status(self) -> Object:
        states = [container.status() for container in self._containers]
        ready = all(one["ready"] for one in states)
        return {
            "phase": _phase(self._pod, states),
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "hostIP": "127.0.0.1",
            "startTime": self._started_at,
            "conditions": [
                self._condition("PodScheduled", True),
                self._condition("Initialized", True),
                self._condition("ContainersReady", ready),
                self._condition("Ready", ready),
            ],
            "containerStatuses": states,
        }

    def _condition(self, kind: str, holds: bool) -> Object:
        status = "True" if holds else "False"
        for one in self._written.get("conditions", ()):
            if (one["type"], one["status"]) == (kind, status):
                return one  # type: ignore[no-any-return]
        return {"type": kind, "status": status, "lastTransitionTime": now()}

    def _try(self, call: Any) -> bool:
        """A write that may come too late: the pod may be gone, or the server."""
        try:
            call()
        except (KubeRefused, BackendUnavailable):
            return False
        return True


def _phase(pod: Object, states: list[Object]) -> str:
    ended = [one["state"].get("terminated") for one in states]
    if all(ended) and pod["spec"].get("restartPolicy") != "Always":
        return "Succeeded" if all(one["exitCode"] == 0 for one in ended if one) else "Failed"
    started = all("running" in one["state"] or one["restartCount"] or one["lastState"] for one in states)
    return "Running" if started else "Pending"
