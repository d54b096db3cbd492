"""What a KServe target of one model is told: its part of the YAML and its connection, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kube.settings import base_name, told_fields
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import ConfigError

Mode = Literal["serverless", "standard"]


@dataclass(frozen=True, slots=True)
class KServeSettings:
    """The keys of ``deploy.target``, with what the connection and the rest of the YAML add: where MLflow is,
    and the server's own options (``options``, such as the key column)."""

    model: str
    namespace: str
    image: str
    mode: Mode = "serverless"
    storage_uri: str | None = None
    command: tuple[str, ...] = ("airflow-mlops", "serve")
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    replicas: int = 1
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
    prometheus_url: str | None = None
    prometheus_token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, endpoint: ServingEndpoint, namespace: str | None) -> KServeSettings:
        """From an endpoint of the hooks. ``namespace`` is the one of the connection's account, which is
        taken where the YAML names none. Raises ``ConfigError`` where neither does."""
        told = dict(endpoint.settings)
        place = told.pop("namespace", None) or namespace
        if place is None:
            raise ConfigError(
                f"no namespace is known for {endpoint.model}: set deploy.target.namespace, or namespace in "
                "the Airflow connection"
            )
        resources = told.pop("resources", None) or {}
        seconds = Period.parse(told.pop("timeout", "10 minutes")).seconds
        prometheus = endpoint.extra.get("prometheus") or {}
        return cls(
            model=endpoint.model,
            namespace=place,
            requests=resources.get("requests") or {},
            limits=resources.get("limits") or {},
            timeout_seconds=seconds,
            prometheus_url=prometheus.get("url"),
            prometheus_token=prometheus.get("token"),
            **told_fields(cls, told),
        )

    @property
    def base(self) -> str:
        """The name of the model's InferenceService."""
        return base_name(self.model)
