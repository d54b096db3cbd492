"""The container that serves a version: what every target on Kubernetes says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlops.backends.kube.api import Object
from airflow_mlops.backends.kube.settings import PodSettings, for_version


def server(settings: PodSettings, version: str, store: str, options: Sequence[str] = ()) -> Object:
    """Image, program, variables and rights. ``store`` is the folder of the inference log; of options that
    are said twice the user's own is the last, and holds."""
    resources: Object = {
        **_unless_empty("requests", dict(settings.requests)),
        **_unless_empty("limits", dict(settings.limits)),
    }
    return {
        "image": for_version(settings.image, settings.model, version),
        "command": list(settings.command),
        "args": [
            *("--model", settings.model, "--version", version),
            # On all of the pod's addresses: it is the Service's and the kubelet's way in.
            *("--host", "0.0.0.0", "--port", str(settings.port), "--store", store),  # noqa: S104
            *options,
            *settings.options,
            *settings.arguments,
        ],
        **_unless_empty("env", [{"name": name, "value": value} for name, value in settings.env.items()]),
        **_unless_empty("envFrom", [{"secretRef": {"name": name}} for name in settings.secrets]),
        **_unless_empty("resources", resources),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def placed(settings: PodSettings) -> Object:
    """Where its pod may run, and what its image is pulled with."""
    return {
        **_unless_empty("nodeSelector", dict(settings.node_selector)),
        **_unless_empty("imagePullSecrets", [{"name": name} for name in settings.image_pull_secrets]),
    }


def _unless_empty(name: str, value: Any) -> Object:
    return {name: value} if value else {}
