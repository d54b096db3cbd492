"""What a KServe target of one model is told beside what every target on Kubernetes is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kube.settings import PodSettings, told_fields

Mode = Literal["serverless", "standard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KServeSettings(PodSettings):
    """Of a target of type ``kserve``. ``replicas`` is the least number of a version."""

    mode: Mode = "serverless"
    storage_uri: str | None = None
    replicas: int = 1

    @classmethod
    def of(cls, endpoint: ServingEndpoint, namespace: str | None) -> KServeSettings:
        """See ``told_fields``."""
        return cls(**told_fields(cls, endpoint, namespace))
