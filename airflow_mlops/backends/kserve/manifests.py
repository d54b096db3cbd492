"""The objects that KServe makes a model's servers of: an InferenceService, and the runtime that it names."""

from __future__ import annotations

from typing import Any

from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.backends.kube.api import Kind, Object
from airflow_mlops.backends.kube.container import placed, server
from airflow_mlops.backends.kube.pods import MODEL_LABEL, VERSION_LABEL
from airflow_mlops.backends.kube.settings import for_version

INFERENCE_SERVICES = Kind("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices")
RUNTIMES = Kind("serving.kserve.io/v1alpha1", "ServingRuntime", "servingruntimes")
# KServe knows the server among a pod's containers by this name.
CONTAINER = "kserve-container"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
# What is written comes first: every release reads it, and canaries ask for Standard by that name.
MODE_NAMES = {"serverless": ("Serverless", "Knative"), "standard": ("Standard", "RawDeployment")}
_FORMAT = "airflow-mlops"
_STORE = "/tmp/airflow-mlops"  # noqa: S108 (a path in the container; Knative mounts no volume by default)


class Manifests:
    """Names and bodies of one model's objects."""

    def __init__(self, settings: KServeSettings) -> None:
        self._settings = settings

    @property
    def labels(self) -> dict[str, str]:
        """What all objects of the model have."""
        return {"app.kubernetes.io/managed-by": "airflow-mlops", MODEL_LABEL: self._settings.base}

    def selector(self, version: str) -> dict[str, str]:
        """What the pods of a version have."""
        return {MODEL_LABEL: self._settings.base, VERSION_LABEL: version}

    def runtime(self) -> Object:
        """A runtime that says nothing but that there is one: all that may differ between two versions is in
        the InferenceService, so that no change of the YAML reaches a version that serves."""
        same_for_all = "{version}" not in self._settings.image
        image = {"image": self._settings.image} if same_for_all else {}
        return {
            "apiVersion": RUNTIMES.api_version,
            "kind": RUNTIMES.kind,
            "metadata": {"name": self._settings.base, "labels": self.labels},
            "spec": {
                "supportedModelFormats": [{"name": _FORMAT}],
                "containers": [{"name": CONTAINER, **image}],
            },
        }

    def service(self, predictor: Object, annotations: dict[str, str]) -> Object:
        """The InferenceService of a first version."""
        mode = {DEPLOYMENT_MODE: MODE_NAMES[self._settings.mode][0]}
        return {
            "apiVersion": INFERENCE_SERVICES.api_version,
            "kind": INFERENCE_SERVICES.kind,
            "metadata": {
                "name": self._settings.base,
                "labels": self.labels,
                "annotations": {**mode, **annotations},
            },
            "spec": {"predictor": predictor},
        }

    def predictor(self, version: str) -> Object:
        """What serves a version; by its name Standard mode tells it from another."""
        settings = self._settings
        return {
            **({"name": predictor_name(version)} if settings.mode == "standard" else {}),
            "minReplicas": settings.replicas,
            "labels": self.selector(version),
            "annotations": {
                **({} if settings.mode == "standard" else {_DEADLINE: f"{int(settings.timeout_seconds)}s"}),
                **settings.pod_annotations,
            },
            **({} if settings.service_account is None else {"serviceAccountName": settings.service_account}),
            **placed(settings),
            "model": self._model(version),
        }

    def _model(self, version: str) -> Object:
        settings = self._settings
        storage = settings.storage_uri
        return {
            "modelFormat": {"name": _FORMAT},
            "runtime": settings.base,
            **({} if storage is None else {"storageUri": for_version(storage, settings.model, version)}),
            **server(settings, version, _STORE),
            "name": CONTAINER,
            "ports": [{"containerPort": settings.port, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": settings.port}, "periodSeconds": 2},
            # Its last words are then what KServe gives as the reason of a failed load.
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }


_DEADLINE = "serving.knative.dev/progress-deadline"


def predictor_name(version: str) -> str:
    return f"v{version}"


def version_of(predictor: Any) -> str | None:
    """The version of a predictor that was made here; None of another."""
    found: str | None = ((predictor or {}).get("labels") or {}).get(VERSION_LABEL)
    return found


def replacing(old: Object, new: Object) -> Object:
    """The merge patch that makes ``new`` of ``old``: what is gone is null, and lists are sent whole."""
    patch: Object = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        nested = isinstance(value, dict) and isinstance(before, dict)
        patch[name] = replacing(before, value) if nested else value  # type: ignore[arg-type]  # both are dicts
    return patch
