"""The Deployment controller's part: pods for each Deployment, a new template rolled out, the status written.

A real API server alone (as envtest starts it) has no controllers, so this plays the one that matters here.
Pods belong to their Deployment directly, without a ReplicaSet between.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from airflow_mlops.backends.kube.api import DEPLOYMENTS, PODS, Object
from airflow_mlops.testing.kube.informer import Controller
from airflow_mlops.testing.kube.objects import now
from airflow_mlops.testing.kube.selectors import Selector

_HASH = "pod-template-hash"


class DeploymentController(Controller):
    """Starts new pods beside the old ones and takes the old ones away as the new ones get ready."""

    kinds = (DEPLOYMENTS, PODS)

    def reconcile(self) -> None:
        deployments = self.seen["Deployment"].all()
        known = {one["metadata"]["uid"] for one in deployments}
        for pod in self.seen["Pod"].all():
            owner = _owner(pod)
            if owner is not None and owner not in known:
                self._delete(pod)
        self.for_each(deployments, self._sync)

    def _sync(self, deployment: Object) -> None:
        uid, wanted = deployment["metadata"]["uid"], deployment["spec"]["replicas"]
        template_hash = _template_hash(deployment)
        pods = [pod for pod in self.seen["Pod"].all() if _owner(pod) == uid and not _is_ending(pod)]
        fresh = [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == template_hash]
        stale = [pod for pod in pods if pod not in fresh]
        for _ in range(wanted - len(fresh)):
            self.api.create(PODS, deployment["metadata"]["namespace"], _pod(deployment, template_hash))
        for pod in sorted(fresh, key=is_ready)[: max(len(fresh) - wanted, 0)]:
            self._delete(pod)
        ready = sum(map(is_ready, fresh))
        for pod in sorted(stale, key=is_ready)[: len(stale) - max(wanted - ready, 0)]:
            self._delete(pod)
        self._write_status(deployment, wanted, fresh, stale)

    def _write_status(
        self, deployment: Object, wanted: int, fresh: list[Object], stale: list[Object]
    ) -> None:
        ready = sum(map(is_ready, [*fresh, *stale]))
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(fresh) + len(stale),
            "updatedReplicas": len(fresh),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(wanted - ready, 0),
        }
        before = deployment.get("status", {})
        complete = len(fresh) == wanted == sum(map(is_ready, fresh)) and not stale
        conditions = [
            _condition(
                before, "Available", ready >= wanted, "MinimumReplicasAvailable", "MinimumReplicasUnavailable"
            ),
            _condition(
                before, "Progressing", True, "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated", ""
            ),
        ]
        if {**status, "conditions": conditions} != before:
            metadata = deployment["metadata"]
            change = {"status": {**status, "conditions": conditions}}
            self.api.merge(DEPLOYMENTS, metadata["namespace"], metadata["name"], change, subresource="status")

    def _delete(self, pod: Object) -> None:
        if not _is_ending(pod):
            self.api.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return not _is_ending(pod) and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def selected(pods: list[Object], namespace: str, labels: dict[str, str]) -> list[Object]:
    """The pods that a Service or Deployment selects."""
    selector = Selector(",".join(f"{name}={value}" for name, value in labels.items()))
    return [pod for pod in pods if pod["metadata"]["namespace"] == namespace and selector.matches(pod)]


def _pod(deployment: Object, template_hash: str) -> Object:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    own = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{template_hash}-{secrets.token_hex(3)[:5]}",
            "labels": {**(own.get("labels") or {}), _HASH: template_hash},
            "annotations": own.get("annotations") or {},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
    }


def _template_hash(deployment: Object) -> str:
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:9]


def _owner(pod: Object) -> str | None:
    for one in pod["metadata"].get("ownerReferences") or ():
        if one["kind"] == "Deployment":
            uid: str = one["uid"]
            return uid
    return None


def _is_ending(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _condition(before: Any, kind: str, holds: bool, reason: str, otherwise: str) -> Object:
    status = "True" if holds else "False"
    for one in before.get("conditions") or ():
        if (
            one["type"] == kind
            and one["status"] == status
            and one["reason"] == (reason if holds else otherwise)
        ):
            return one  # type: ignore[no-any-return]
    return {
        "type": kind,
        "status": status,
        "reason": reason if holds else otherwise,
        "message": "",
        "lastTransitionTime": now(),
        "lastUpdateTime": now(),
    }
