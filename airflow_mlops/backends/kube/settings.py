"""What a target on Kubernetes is told of one model: its part of the YAML and its connection, as values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import ConfigError

Previous = Literal["scale_down", "keep", "remove"]
# A Service's name has at most 63 characters, and a version's suffix must fit in.
_LONGEST_BASE = 46


@dataclass(frozen=True, slots=True)
class GatewayRef:
    """The Gateway that the route hangs on, and its listener if one is meant."""

    name: str
    namespace: str
    listener: str | None = None

    def __str__(self) -> str:
        return f"the Gateway {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What a target is told whose pods run ``airflow-mlops serve``: the keys of ``deploy.target``, with what
    the connection and the rest of the YAML add. ``env`` says where MLflow is, and ``options`` are the
    server's own, such as the key column. Without ``prometheus`` the pods are asked for their counters."""

    model: str
    namespace: str
    image: str
    command: tuple[str, ...] = ("airflow-mlops", "serve")
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    port: int = 8800
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    timeout_seconds: float = 600.0
    prometheus: PrometheusEndpoint | None = None

    @property
    def base(self) -> str:
        """What the model's objects are called, or what their names begin with."""
        return base_name(self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSettings(PodSettings):
    """Of a target of type ``kubernetes``. ``replicas`` None leaves their number to an autoscaler."""

    gateway: GatewayRef
    hostname: str | None = None
    replicas: int | None = 1
    claim: str | None = None
    previous: Previous = "scale_down"

    @classmethod
    def of(cls, endpoint: ServingEndpoint, namespace: str | None) -> KubernetesSettings:
        """See ``told_fields``."""
        told = told_fields(cls, endpoint, namespace)
        said = told["gateway"]
        place = said.get("namespace") or told["namespace"]
        return cls(**{**told, "gateway": GatewayRef(said["name"], place, said.get("listener"))})


def told_fields(
    settings: type[PodSettings], endpoint: ServingEndpoint, namespace: str | None
) -> dict[str, Any]:
    """The fields of a target's settings, from an endpoint of the hooks; keys that only the hooks read are
    left out. ``namespace`` is the one of the connection's account, which is taken where the YAML names none.
    Raises ``ConfigError`` where neither does."""
    told = endpoint.settings
    place = told.get("namespace") or namespace
    if place is None:
        raise ConfigError(
            f"no namespace is known for {endpoint.model}: set deploy.target.namespace, or namespace in "
            "the Airflow connection"
        )
    known = {one.name for one in fields(settings)}
    resources = told.get("resources") or {}
    prometheus = endpoint.extra.get("prometheus")
    return {
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
            if name in known and (value is not None or name == "replicas")
        },
        "model": endpoint.model,
        "namespace": place,
        "requests": resources.get("requests") or {},
        "limits": resources.get("limits") or {},
        "timeout_seconds": Period.parse(told.get("timeout") or "10 minutes").seconds,
        "prometheus": None if prometheus is None else PrometheusEndpoint(**prometheus),
    }


def for_version(template: str, model: str, version: str) -> str:
    """An image or the place of files that may differ by version: ``{model}`` and ``{version}`` are filled
    in."""
    return template.replace("{model}", model).replace("{version}", version)


def base_name(model: str) -> str:
    """What a model's objects are called. A DNS label, so an underscore is a dash (no model's name holds one),
    and a long name is cut and told apart by a hash."""
    name = f"mlops-{model.replace('_', '-')}"
    if len(name) <= _LONGEST_BASE and not name.endswith("-"):
        return name
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_BASE - 9].rstrip('-')}-{digest}"
