"""From ``deploy.target`` and its Airflow connection to the endpoint of a serving target."""

from __future__ import annotations

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy_target_kserve import KServeTargetConfig
from airflow_mlops.config.parts.deploy_target_kubernetes import KubernetesTargetConfig
from airflow_mlops.config.parts.deploy_target_sagemaker import SageMakerTargetConfig
from airflow_mlops.config.parts.deploy_targets import (
    BatchTargetConfig,
    EmbeddedTargetConfig,
    InstalledTargetConfig,
)
from airflow_mlops.hooks.aws import aws_access
from airflow_mlops.hooks.connections import address, found
from airflow_mlops.hooks.gateway import GatewayHook
from airflow_mlops.hooks.kubernetes import kubernetes_endpoint


def serving_endpoint(config: ModelConfig) -> ServingEndpoint:
    """Where a model is served. Raises ``ConfigError`` with the command that adds a missing connection."""
    target, wanted_by = config.deploy.target, f"deploy.target.conn_id of model {config.model}"
    match target:
        case EmbeddedTargetConfig():
            gateway = GatewayHook(target.conn_id, wanted_by=wanted_by)
            return ServingEndpoint(
                "embedded", config.model, url=gateway.url, token=gateway.token, extra=gateway.extra
            )
        case KubernetesTargetConfig() | KServeTargetConfig():
            return kubernetes_endpoint(config, target)
        case SageMakerTargetConfig():
            return ServingEndpoint(
                "sagemaker",
                config.model,
                settings=target.model_dump(mode="json", exclude={"type", "conn_id", "region"}),
                extra=aws_access(target.conn_id, region=target.region, wanted_by=wanted_by),
            )
        case BatchTargetConfig():
            # No server and so no connection: the registry and the store are all there is.
            trusted = {"trusted_types": list(config.training.trusted_types)}
            return ServingEndpoint("batch", config.model, settings=trusted)
        case InstalledTargetConfig():
            if target.conn_id is None:
                return ServingEndpoint(target.name, config.model, settings=target.settings)
            connection = found(target.conn_id, conn_type="generic", wanted_by=wanted_by)
            return ServingEndpoint(
                target.name,
                config.model,
                url=address(connection) if connection.host else None,
                token=connection.password or None,
                settings=target.settings,
                extra=connection.extra_dejson,
            )
