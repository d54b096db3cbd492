"""Kubernetes as the place where a model answers: Deployments behind a route of the Gateway API."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from airflow_mlops.config.parts.base import Part
from airflow_mlops.config.parts.deploy_target_pods import KubernetesName, PodTargetConfig
from airflow_mlops.config.parts.target_modes import TargetMode


class GatewayConfig(Part):
    """The Gateway that takes the requests in."""

    name: KubernetesName = Field(description="Name of the Gateway.")
    namespace: KubernetesName | None = Field(None, description="Its namespace, if it is not the model's.")
    listener: str | None = Field(None, description="One of its listeners, if not all of them.")


class KubernetesTargetConfig(PodTargetConfig):
    """A Deployment for each version, behind one HTTPRoute of the Gateway API."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"shadow", "canary"})

    type: Literal["kubernetes"]
    gateway: GatewayConfig = Field(description="The Gateway that takes the requests in.")
    hostname: str | None = Field(
        None, description="Host that callers name; by default every one.", examples=["flights.example.com"]
    )
    replicas: int | None = Field(
        1, ge=1, description="Pods of each version; null leaves their number to an autoscaler."
    )
    service_account: KubernetesName | None = Field(
        None, description="Account of the pods; by default the namespace's, without its token."
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
