"""KServe as the place where a model answers: an InferenceService, on Knative or on Deployments."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from airflow_mlops.config.parts.base import ExactPeriodText, Part
from airflow_mlops.config.parts.deploy_target_kubernetes import KubernetesName, ResourcesConfig
from airflow_mlops.config.parts.target_modes import TargetMode


class KServeTargetConfig(Part):
    """One InferenceService of KServe, whose challenger gets whole percents of the requests. There is no
    shadow in KServe: say ``shadow: {enabled: false}``."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"canary"})

    type: Literal["kserve"]
    conn_id: str = Field("kubernetes_default", description="Airflow connection of type kubernetes.")
    namespace: KubernetesName | None = Field(
        None, description="Where the objects are made; by default the namespace of the connection's account."
    )
    mode: Literal["serverless", "standard"] = Field(
        "serverless",
        description="KServe's deployment mode: serverless runs on Knative; standard on Deployments, and "
        "splits requests since KServe 0.21 with the Gateway API.",
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
    storage_uri: str | None = Field(
        None,
        min_length=1,
        description="Files that KServe lays into each pod under /mnt/models, for a program of your own; "
        "{model} and {version} are filled in.",
        examples=["s3://models/{model}/{version}"],
    )
    replicas: int = Field(1, ge=1, description="Pods that each version has at least.")
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
        description="Airflow connection (http) of a Prometheus that scrapes the pods; without one, errors "
        "and latency are read from the pods' own metrics, through the API server.",
    )
