"""From a ``kubernetes`` connection and a model's YAML to the endpoint of its Kubernetes or KServe target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy_target_kserve import KServeTargetConfig
from airflow_mlops.config.parts.deploy_target_kubernetes import KubernetesTargetConfig
from airflow_mlops.hooks.connections import address, found
from airflow_mlops.hooks.mlflow import MlflowHook
from airflow_mlops.hooks.prometheus import PrometheusHook

OnKubernetes = KubernetesTargetConfig | KServeTargetConfig


def kubernetes_endpoint(config: ModelConfig, target: OnKubernetes) -> ServingEndpoint:
    """The endpoint. The connection's form is read as the Kubernetes provider's hook reads it, which need
    not be installed. Raises ``ConfigError`` with the command that adds a missing connection."""
    wanted_by = f"deploy.target.conn_id of model {config.model}"
    cluster = found(
        target.conn_id,
        conn_type="kubernetes",
        wanted_by=wanted_by,
        said="--conn-extra '{\"in_cluster\": true}'",
    )
    settings = target.model_dump(mode="json", exclude={"type", "conn_id", "prometheus_conn_id"})
    settings["env"] = {**_tracking(config, target), **target.env}
    settings["options"] = list(_options(config))
    if isinstance(target, KubernetesTargetConfig) and target.previous is None:
        settings["previous"] = "keep" if config.deploy.strategy == "blue_green" else "scale_down"
    return ServingEndpoint(
        target.type,
        config.model,
        url=address(cluster) if cluster.host else None,
        token=cluster.password or None,
        settings=settings,
        extra={**cluster.extra_dejson, **_prometheus(config, target)},
    )


def _tracking(config: ModelConfig, target: OnKubernetes) -> dict[str, str]:
    """Where the pods find MLflow: where Airflow does, unless the YAML says otherwise."""
    if "MLFLOW_TRACKING_URI" in target.env:
        return {}
    wanted_by = f"tracking.conn_id of model {config.model}"
    return {"MLFLOW_TRACKING_URI": MlflowHook(config.tracking.conn_id, wanted_by=wanted_by).tracking_uri}


def _options(config: ModelConfig) -> Iterator[str]:
    """What ``airflow-mlops serve`` must know of the model's YAML, which is not in the image."""
    yield from ("--key-column", config.data.key, "--time-column", config.data.time_column)
    for one in config.training.trusted_types:
        yield from ("--trusted-type", one)


def _prometheus(config: ModelConfig, target: OnKubernetes) -> dict[str, Any]:
    if target.prometheus_conn_id is None:
        return {}
    wanted_by = f"deploy.target.prometheus_conn_id of model {config.model}"
    return {"prometheus": asdict(PrometheusHook(target.prometheus_conn_id, wanted_by=wanted_by).endpoint)}
