"""What every serving target on Kubernetes is told of its pods, which run ``airflow-mlops serve``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from airflow_mlops.config.parts.base import ExactPeriodText, Part, Shape

KubernetesName = Annotated[str, Shape(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"), StringConstraints(max_length=253)]


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


class PodTargetConfig(Part):
    """The pods of a model's versions, and where they are."""

    type: str
    conn_id: str = Field("kubernetes_default", description="Airflow connection of type kubernetes.")
    namespace: KubernetesName | None = Field(
        None, description="Where the objects are made; by default the namespace of the connection's account."
    )
    image: str = Field(
        min_length=1,
        description="Image with airflow-mlops[gateway] and what the model needs; {model} and {version} are "
        "filled in, where each version has an image of its own.",
        examples=["registry.example.com/model-server:1.4"],
    )
    command: tuple[str, ...] = Field(
        ("airflow-mlops", "serve"), min_length=1, strict=False, description="The image's program that serves."
    )
    arguments: tuple[str, ...] = Field(
        (), strict=False, description="More options of airflow-mlops serve.", examples=[["--threads", "2"]]
    )
    port: int = Field(8800, ge=1, le=65535, description="Port of the pods.")
    resources: ResourcesConfig = Field(
        default_factory=ResourcesConfig, description="What each pod asks for and may use."
    )
    service_account: KubernetesName | None = Field(
        None, description="Account of the pods; by default the namespace's."
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
    timeout: ExactPeriodText = Field("10 minutes", description="How long a version may take to come up.")
    prometheus_conn_id: str | None = Field(
        None,
        description="Airflow connection of a Prometheus that scrapes the pods; without one, errors and "
        "latency are read from the pods' own metrics, through the API server.",
    )
