"""Kubernetes as the place where a model answers: Deployments behind a route of the Gateway API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from airflow_mlops.config.parts.base import ExactPeriodText, Part
from airflow_mlops.config.parts.target_modes import TargetMode

KubernetesName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
]


class GatewayConfig(Part):
    """The Gateway that takes the requests in."""

    name: KubernetesName = Field(description="Name of the Gateway.")
    namespace: KubernetesName | None = Field(None, description="Its namespace, if it is not the model's.")
    listener: str | None = Field(None, description="One of its listeners, if not all of them.")


class ResourcesConfig(Part):
    """What a pod asks for and may use, in Kubernetes' own units."""

    requests: dict[str, str] = Field(
        default_factory=dict,
        description="What a node must have free.",
        examples=[{"cpu": "500m", "memory": "1Gi"}],
    )
    limits: dict[str, str] = Field(
        default_factory=dict, description="What it may not go beyond.", examples=[{"memory": "1Gi"}]
    )


class KubernetesTargetConfig(Part):
    """A Deployment for each version, behind one HTTPRoute of the Gateway API."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"shadow", "canary"})

    type: Literal["kubernetes"]
    conn_id: str = Field("kubernetes_default", description="Airflow connection of type kubernetes.")
    namespace: KubernetesName | None = Field(
        None, description="Where the objects are made; by default the namespace of the connection's account."
    )
    gateway: GatewayConfig = Field(description="The Gateway that takes the requests in.")
    hostname: str | None = Field(
        None, description="Host that callers name; by default every one.", examples=["flights.example.com"]
    )
    image: str = Field(
        min_length=1,
        description="Image with airflow-mlops[gateway] and what the model needs.",
        examples=["registry.example.com/model-server:1.4"],
    )
    command: tuple[str, ...] = Field(
        ("airflow-mlops", "serve"), min_length=1, strict=False, description="The image's program that serves."
    )
    arguments: tuple[str, ...] = Field(
        (), strict=False, description="More options of airflow-mlops serve.", examples=[["--threads", "2"]]
    )
    replicas: int | None = Field(
        1, ge=1, description="Pods of each version; null leaves their number to an autoscaler."
    )
    port: int = Field(8800, ge=1, le=65535, description="Port of the pods and Services.")
    resources: ResourcesConfig = Field(
        default_factory=ResourcesConfig, description="What each pod asks for and may use."
    )
    service_account: KubernetesName | None = Field(
        None, description="Account of the pods; by default the namespace's, without its token."
    )
    image_pull_secrets: tuple[KubernetesName, ...] = Field(
        (), strict=False, description="Secrets that the image is pulled with."
    )
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels that a node must have.")
    pod_annotations: dict[str, str] = Field(
        default_factory=dict, description="Annotations of the pods, such as those Prometheus looks for."
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        description="Variables of the server. MLFLOW_TRACKING_URI is that of tracking.conn_id unless said.",
    )
    secrets: tuple[KubernetesName, ...] = Field(
        (),
        strict=False,
        description="Secrets whose keys are variables of the server, such as MLFLOW_TRACKING_TOKEN.",
    )
    claim: KubernetesName | None = Field(
        None,
        description="PersistentVolumeClaim (ReadWriteMany) for the inference log, of which `airflow-mlops "
        "compact-log` makes Parquet; without one the log ends with its pod.",
    )
    previous: Literal["scale_down", "keep", "remove"] | None = Field(
        None,
        description="What becomes of the champion before: scale_down keeps its Deployment without pods, keep "
        "leaves them running, for an instant return, remove deletes it. By default keep for blue_green, else "
        "scale_down.",
    )
    timeout: ExactPeriodText = Field("10 minutes", description="How long a version may take to come up.")
    prometheus_conn_id: str | None = Field(
        None,
        description="Airflow connection (http) of a Prometheus that scrapes the pods; without one, errors "
        "and latency are read from the pods' own metrics, through the API server.",
    )
