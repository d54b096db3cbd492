"""Where a person finds a run, a report or a model version: addresses of pages."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk.configuration import conf


def run_url(dag_id: str, run_id: str) -> str:
    """A run in Airflow's UI, below ``[api] base_url``."""
    base: str = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return f"{base.rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id)}"


def report_url(uri: str) -> str:
    """Where Airflow shows a report of the store: below its own address, or from its root where ``[api]
    base_url`` is not set. Nothing for what is no report.
    """
    _, found, page = uri.rpartition("/reports/")
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/mlops/reports/{page}" if found else ""


def version_url(mlflow_conn_id: str, model: str, version: str) -> str:
    """A version's page in MLflow. Nothing where there is no such connection, or it is of no server."""
    from airflow_mlops.backends.mlflow_rest import version_page
    from airflow_mlops.exceptions import ConfigError
    from airflow_mlops.hooks.mlflow import MlflowHook

    try:
        return version_page(MlflowHook(mlflow_conn_id).tracking_uri, model, version)
    except ConfigError:
        return ""
