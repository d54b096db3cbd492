"""Where a model answers requests: one kind of target an entry, and what each of them can do."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from airflow_mlops.config.parts.base import Part, Shape
from airflow_mlops.config.parts.deploy_target_kserve import KServeTargetConfig
from airflow_mlops.config.parts.deploy_target_kubernetes import KubernetesTargetConfig
from airflow_mlops.config.parts.deploy_target_sagemaker import SageMakerTargetConfig
from airflow_mlops.config.parts.target_modes import TargetMode


class EmbeddedTargetConfig(Part):
    """The model server of this package."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"shadow", "canary", "sticky"})

    type: Literal["embedded"] = Field("embedded", description="The model server of this package.")
    conn_id: str = Field("mlops_gateway_default", description="Airflow connection of the server.")


class BatchTargetConfig(Part):
    """No server: the score DAG is all that answers, and the registry's alias says with which version. Its
    challenger is seen in the shadow that ``score.shadow_share`` casts."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"shadow"})

    type: Literal["batch"]


class InstalledTargetConfig(Part):
    """Another package's target: entry point ``serving.NAME`` of the group ``airflow_mlops.backends``."""

    modes: ClassVar[frozenset[TargetMode]] = frozenset({"shadow", "canary", "sticky"})

    type: Literal["installed"]
    name: Annotated[str, Shape(r"^[a-z][a-z0-9_]*$")] = Field(
        description="Name of the entry point, without serving."
    )
    conn_id: str | None = Field(None, description="Airflow connection that is handed to it.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What it is told beside that.")


def _embedded_unless_said(value: Any) -> Any:
    return {"type": "embedded", **value} if isinstance(value, dict) else value


Target = Annotated[
    EmbeddedTargetConfig
    | BatchTargetConfig
    | KubernetesTargetConfig
    | KServeTargetConfig
    | SageMakerTargetConfig
    | InstalledTargetConfig,
    Field(discriminator="type"),
    BeforeValidator(_embedded_unless_said),
]
