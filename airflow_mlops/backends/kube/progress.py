"""How far a Deployment is, judged by its status and its pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_mlops.backends.kube.api import Object
from airflow_mlops.backends.kube.words import CONTAINER, TEMPLATE

# What a container does not come out of by itself.
_STUCK = {
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}


@dataclass(frozen=True, slots=True)
class Stuck:
    """A pod that will not come up. ``ended`` is how its last run ended, None if it never ran."""

    pod: str
    reason: str
    message: str
    ended: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Whether all replicas of the present template take requests; ``said`` is for a person who waits."""

    ready: bool
    said: str
    stuck: Stuck | None = None


def progress(deployment: Object, pods: Sequence[Object]) -> Progress:
    """Judge a Deployment at its present generation. A status of an older generation is of the pods before."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    ours = [pod for pod in pods if _template(pod["metadata"]) == _template(spec["template"]["metadata"])]
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return Progress(False, "the cluster has not looked at it yet")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated == wanted == available == status.get("replicas", 0) and wanted > 0:
        return Progress(True, f"{available} of {wanted} replicas are available")
    said = [f"{available} of {wanted} replicas are available", *_held_up(status, ours)]
    return Progress(False, "; ".join(said), next(stuck(ours, CONTAINER), None))


def running(pods: Sequence[Object]) -> list[Object]:
    """Pods with an address whose server has been started, and which nobody ends."""
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and (pod.get("status") or {}).get("podIP")
        and any("running" in one.get("state", {}) for one in _containers(pod))
    ]


def ready(pods: Sequence[Object]) -> list[Object]:
    """Pods that take requests."""
    return [pod for pod in running(pods) if all(one.get("ready") for one in _containers(pod))]


def _template(metadata: Object) -> str | None:
    found: str | None = (metadata.get("annotations") or {}).get(TEMPLATE)
    return found


def _held_up(status: Object, pods: Sequence[Object]) -> Iterator[str]:
    for one in status.get("conditions") or ():
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            yield f"no pod can be made: {one.get('message', '')}"
        if one["type"] == "Progressing" and one["status"] == "False":
            yield f"{one.get('reason', '')}: {one.get('message', '')}"
    for pod in pods:
        for one in (pod.get("status") or {}).get("conditions") or ():
            if one["type"] == "PodScheduled" and one["status"] == "False":
                yield f"pod {pod['metadata']['name']} has no node: {one.get('message', '')}"


def stuck(pods: Sequence[Object], container: str) -> Iterator[Stuck]:
    """The pods whose container will not come up by itself."""
    for pod in pods:
        for one in _containers(pod):
            waiting = one.get("state", {}).get("waiting") or {}
            if one["name"] == container and waiting.get("reason") in _STUCK:
                last = (one.get("lastState") or {}).get("terminated")
                ended = None if last is None else f"{last.get('reason')}, exit code {last.get('exitCode')}"
                yield Stuck(pod["metadata"]["name"], waiting["reason"], waiting.get("message", ""), ended)


def _containers(pod: Object) -> list[Object]:
    found: list[Object] = (pod.get("status") or {}).get("containerStatuses") or []
    return found
