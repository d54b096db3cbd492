"""From Airflow's connections and configuration to the backends that a step is handed."""

from __future__ import annotations

from airflow.sdk.configuration import conf

from airflow_mlops.backends.base import Backends, Endpoints
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.hooks.mlflow import MlflowHook
from airflow_mlops.hooks.prometheus import PrometheusHook
from airflow_mlops.hooks.serving import serving_endpoint


def store_root() -> str:
    """Where ``[mlops] store`` says the store is. Raises ``ConfigError`` where it is set to nothing."""
    root: str = conf.get("mlops", "store", fallback="") or ""
    if not root:
        raise ConfigError(
            "[mlops] store is empty; set it in airflow.cfg or by AIRFLOW__MLOPS__STORE=/a/folder"
        )
    return root


def endpoints(config: ModelConfig, *, needs_serving: bool = False, needs_metrics: bool = False) -> Endpoints:
    """Addresses and secrets of a model's backends.

    A model that only trains needs no gateway, so a missing gateway connection is an error only
    where ``needs_serving``; and only who judges a stage needs Prometheus, so that no rollback waits for it
    (``needs_metrics``). Raises ``ConfigError`` with the command that adds a missing connection.
    """
    tracking = MlflowHook(config.tracking.conn_id, wanted_by=f"tracking.conn_id of model {config.model}")
    try:
        serving = serving_endpoint(config)
    except ConfigError:
        if needs_serving:
            raise
        serving = None
    return Endpoints(
        store=store_root(),
        tracking=tracking.tracking_uri,
        tracking_token=tracking.token,
        serving=serving,
        inference_log=_inference_log(),
        prometheus=_prometheus(config) if needs_metrics else {},
    )


def connect_backends(
    config: ModelConfig, *, needs_serving: bool = False, needs_metrics: bool = False
) -> Backends:
    """The backends of a model; each is connected at its first use."""
    from airflow_mlops.backends.catalog import connect

    return connect(endpoints(config, needs_serving=needs_serving, needs_metrics=needs_metrics))


def connect_store() -> Backends:
    """Backends that reach only the store and the inference log, for who asks no server."""
    from airflow_mlops.backends.catalog import connect

    return connect(Endpoints(store=store_root(), inference_log=_inference_log()))


def connect_tracking(conn_id: str) -> Tracking:
    """The tracking server of a connection, for who only asks it."""
    from airflow_mlops.backends.catalog import connect

    mlflow = MlflowHook(conn_id, wanted_by="mlflow_conn_id")
    return connect(
        Endpoints(store=store_root(), tracking=mlflow.tracking_uri, tracking_token=mlflow.token)
    ).tracking


def _inference_log() -> str | None:
    """Where the model server's log is, if not in the store."""
    return conf.get("mlops", "inference_log", fallback="") or None


def _prometheus(config: ModelConfig) -> dict[str, PrometheusEndpoint]:
    wanted = {
        metric.conn_id: f"deploy.analysis.metrics, {metric.name}, of model {config.model}"
        for metric in config.deploy.analysis.metrics
    }
    return {conn_id: PrometheusHook(conn_id, wanted_by=told).endpoint for conn_id, told in wanted.items()}
