"""The objects that a model's versions are served by: a Deployment and a Service each, and one HTTPRoute."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction

from airflow_mlops.backends.kube.api import GATEWAYS, Object
from airflow_mlops.backends.kube.container import placed, server
from airflow_mlops.backends.kube.pods import MODEL_LABEL, VERSION_LABEL
from airflow_mlops.backends.kube.route import RouteState
from airflow_mlops.backends.kube.settings import KubernetesSettings
from airflow_mlops.backends.kube.words import CONTAINER, TEMPLATE

PREFIX = "airflow-mlops"
ROLLOUT = f"{PREFIX}/rollout"
HTTP = "http"
_STORE = "/var/lib/airflow-mlops"
# The routes of the model server that callers need. Its metrics and its smoke test stay inside the cluster.
_PATHS = ("/predict", "/invocations", "/openapi.json", "/health", "/ready")
_ENDING_SECONDS, _DRAIN_SECONDS = 60, 5
# Weights of a route are whole numbers up to this.
_MILLION = 1_000_000


class Manifests:
    """Names and bodies of one model's objects. Every default that the API would fill in inside a list is
    said, so that what is read back equals what was sent."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings

    def name(self, version: str) -> str:
        """Of a version's Deployment and Service."""
        return f"{self._settings.base}-v{version}"

    def version(self, name: str) -> str | None:
        """The version whose Service has this name; None for a Service that is not of this model."""
        start = f"{self._settings.base}-v"
        return name[len(start) :] if name.startswith(start) else None

    @property
    def labels(self) -> dict[str, str]:
        """What all objects of the model have."""
        return {
            "app.kubernetes.io/managed-by": PREFIX,
            "app.kubernetes.io/component": "model-server",
            MODEL_LABEL: self._settings.base,
        }

    def selector(self, version: str) -> dict[str, str]:
        return {MODEL_LABEL: self._settings.base, VERSION_LABEL: version}

    def deployment(self, version: str, rollout_id: str, *, replicas: int | None) -> Object:
        """``replicas`` None leaves their number to whoever scales them."""
        labels = {**self.labels, VERSION_LABEL: version}
        template = {
            "metadata": {"labels": labels, "annotations": dict(self._settings.pod_annotations)},
            "spec": self._pod(version),
        }
        template["metadata"]["annotations"][TEMPLATE] = _digest(template)
        return {
            "metadata": {
                "name": self.name(version),
                "labels": labels,
                "annotations": {ROLLOUT: rollout_id},
            },
            "spec": {
                **({} if replicas is None else {"replicas": replicas}),
                "selector": {"matchLabels": self.selector(version)},
                "progressDeadlineSeconds": max(int(self._settings.timeout_seconds), 1),
                "template": template,
            },
        }

    def service(self, version: str) -> Object:
        port = {"name": HTTP, "port": self._settings.port, "targetPort": HTTP, "protocol": "TCP"}
        return {
            "metadata": {"name": self.name(version), "labels": {**self.labels, VERSION_LABEL: version}},
            "spec": {"selector": self.selector(version), "ports": [port]},
        }

    def route(self, state: RouteState, resource_version: str | None) -> Object:
        """The HTTPRoute of a state. With a resource version it is refused where somebody was faster."""
        settings, gateway = self._settings, self._settings.gateway
        parent = {
            "group": GATEWAYS.group,
            "kind": GATEWAYS.kind,
            "name": gateway.name,
            "namespace": gateway.namespace,
        }
        if gateway.listener is not None:
            parent["sectionName"] = gateway.listener
        rule: Object = {
            "matches": [{"path": {"type": "Exact", "value": path}} for path in _PATHS],
            "backendRefs": [
                {**self._backend(version), "weight": weight} for version, weight in _weights(state).items()
            ],
        }
        if state.mode == "shadow" and state.challenger is not None:
            mirror = {"backendRef": self._backend(state.challenger)}
            rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
        metadata: Object = {
            "name": settings.base,
            "labels": self.labels,
            "annotations": state.annotations(),
            **({} if resource_version is None else {"resourceVersion": resource_version}),
        }
        hostnames = {} if settings.hostname is None else {"hostnames": [settings.hostname]}
        return {"metadata": metadata, "spec": {"parentRefs": [parent], **hostnames, "rules": [rule]}}

    def _backend(self, version: str) -> Object:
        return {"group": "", "kind": "Service", "name": self.name(version), "port": self._settings.port}

    def _pod(self, version: str) -> Object:
        settings = self._settings
        volume: Object = {"name": "store", "emptyDir": {}}
        if settings.claim is not None:
            volume = {"name": "store", "persistentVolumeClaim": {"claimName": settings.claim}}
        account = settings.service_account
        return {
            "containers": [self._container(version)],
            "volumes": [volume],
            # A model needs no access to the API; an account of the user's own may be there for its token.
            **(
                {"automountServiceAccountToken": False}
                if account is None
                else {"serviceAccountName": account}
            ),
            **placed(settings),
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": _ENDING_SECONDS,
        }

    def _container(self, version: str) -> Object:
        settings = self._settings
        # One of the pods that share a log would make Parquet of what another one is at.
        options = ("--compact-seconds", "0") if settings.claim is not None else ()
        return {
            **server(settings, version, _STORE, options),
            "name": CONTAINER,
            "ports": [{"name": HTTP, "containerPort": settings.port, "protocol": "TCP"}],
            # It answers /health as soon as its libraries are imported, which on a busy node takes a while.
            "startupProbe": _probe("/health", period=2, failures=150),
            "readinessProbe": _probe("/ready", period=2, failures=3),
            "livenessProbe": _probe("/health", period=10, failures=6),
            # Requests still come for a moment after the pod was told to end; who leaves at once loses them.
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_DRAIN_SECONDS)]}}},
            "volumeMounts": [{"name": "store", "mountPath": _STORE}],
        }


def written_weight(weight: float) -> float:
    """A share as a route can hold it: to the millionth."""
    return round(weight * _MILLION) / _MILLION


def _weights(state: RouteState) -> dict[str, int]:
    """Whole numbers in the ratio of the shares, as small as can be: 0.1 is 9 and 1."""
    champion, challenger = state.champion, state.challenger
    if champion is None:
        raise AssertionError("a route without a champion is never written")
    if challenger is None or state.mode != "canary":
        return {champion: 1}
    share = Fraction(round(state.weight * _MILLION), _MILLION)
    return {champion: share.denominator - share.numerator, challenger: share.numerator}


def _probe(path: str, *, period: int, failures: int) -> Object:
    asked = {"path": path, "port": HTTP, "scheme": "HTTP"}
    return {"httpGet": asked, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 2}


def _digest(template: Object) -> str:
    """Which of our templates a pod was made of, whatever the cluster adds to it."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
