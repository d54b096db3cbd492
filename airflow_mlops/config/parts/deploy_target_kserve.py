"""KServe as the place where a model answers: an InferenceService, on Knative or on Deployments."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from airflow_mlops.config.parts.deploy_target_pods import PodTargetConfig
from airflow_mlops.config.parts.target_modes import TargetMode


class KServeTargetConfig(PodTargetConfig):
    """One InferenceService of KServe, whose challenger gets whole percents of the requests. There is no
    shadow in KServe: say ``shadow: {enabled: false}``."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"canary"})

    type: Literal["kserve"]
    mode: Literal["serverless", "standard"] = Field(
        "serverless",
        description="KServe's deployment mode: serverless runs on Knative; standard on Deployments, and "
        "splits requests since KServe 0.21 with the Gateway API.",
    )
    storage_uri: str | None = Field(
        None,
        min_length=1,
        description="Files that KServe lays into each pod under /mnt/models, for a program of your own; "
        "{model} and {version} are filled in.",
        examples=["s3://models/{model}/{version}"],
    )
    replicas: int = Field(1, ge=1, description="Pods that each version has at least.")
