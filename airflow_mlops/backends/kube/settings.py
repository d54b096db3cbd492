"""What a Kubernetes target of one model is told: its part of the YAML and its connection, as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from airflow_mlops.backends.base import ServingEndpoint
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


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """The keys of ``deploy.target``, with what the connection and the rest of the YAML add: where MLflow is
    (``tracking_uri``), and the server's own options (``options``, such as the key column)."""

    model: str
    namespace: str
    gateway: GatewayRef
    image: str
    command: tuple[str, ...] = ("airflow-mlops", "serve")
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    hostname: str | None = None
    replicas: int | None = 1
    port: int = 8800
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    claim: str | None = None
    previous: Previous = "scale_down"
    timeout_seconds: float = 600.0
    prometheus_url: str | None = None
    prometheus_token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, endpoint: ServingEndpoint, namespace: str | None) -> KubernetesSettings:
        """From an endpoint of the hooks. ``namespace`` is the one of the connection's account, which is
        taken where the YAML names none. Raises ``ConfigError`` where neither does."""
        told = dict(endpoint.settings)
        place = told.pop("namespace", None) or namespace
        if place is None:
            raise ConfigError(
                f"no namespace is known for {endpoint.model}: set deploy.target.namespace, or namespace in "
                "the Airflow connection"
            )
        gateway = dict(told.pop("gateway"))
        resources = told.pop("resources", None) or {}
        seconds = Period.parse(told.pop("timeout", "10 minutes")).seconds
        prometheus = endpoint.extra.get("prometheus") or {}
        return cls(
            model=endpoint.model,
            namespace=place,
            gateway=GatewayRef(gateway["name"], gateway.get("namespace") or place, gateway.get("listener")),
            requests=resources.get("requests") or {},
            limits=resources.get("limits") or {},
            timeout_seconds=seconds,
            prometheus_url=prometheus.get("url"),
            prometheus_token=prometheus.get("token"),
            **told_fields(cls, told),
        )

    @property
    def base(self) -> str:
        """The name of the model's route, and what its other objects' names begin with."""
        return base_name(self.model)


def base_name(model: str) -> str:
    """What a model's objects are called. A DNS label, so an underscore is a dash (no model's name holds one),
    and a long name is cut and told apart by a hash."""
    name = f"mlops-{model.replace('_', '-')}"
    if len(name) <= _LONGEST_BASE and not name.endswith("-"):
        return name
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_BASE - 9].rstrip('-')}-{digest}"


def told_fields(settings: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of the YAML as tuples; keys that only the hooks read are left out."""
    known = {one.name for one in fields(settings)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told.items()
        if (name in known and value is not None) or name == "replicas"
    }
