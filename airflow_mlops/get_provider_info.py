"""What Airflow is told about this package: connection types, extra links and configuration options."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Data for Airflow's providers manager; it is read in every Airflow process, so nothing is imported.

    The package name must be the distribution's: Airflow refuses to start otherwise. The UI plugin is not
    listed here because its ``airflow.plugins`` entry point registers it, and both would load it twice.
    """
    return {
        "package-name": "airflow-mlops",
        "name": "MLOps",
        "description": "Continuous training of machine-learning models: one YAML file per model.",
        "connection-types": [_MLFLOW, _GATEWAY, _PROMETHEUS],
        "extra-links": [
            "airflow_mlops.operators.links.TrainingRunLink",
            "airflow_mlops.operators.links.ModelCardLink",
            "airflow_mlops.operators.links.ModelVersionLink",
            "airflow_mlops.operators.links.ReportLink",
        ],
        "notifications": [
            "airflow_mlops.notifications.findings.FindingsNotifier",
            "airflow_mlops.notifications.webhook.WebhookNotifier",
        ],
        "config": {"mlops": _OPTIONS},
    }


_MLFLOW = {
    "connection-type": "mlflow",
    "hook-class-name": "airflow_mlops.hooks.mlflow.MlflowHook",
    "hook-name": "MLflow",
    "ui-field-behaviour": {
        "hidden-fields": ["login", "extra"],
        "relabeling": {"schema": "Scheme", "password": "Token"},
        "placeholders": {
            "host": "mlflow.example.com",
            "port": "5000",
            "schema": "http or https",
            "password": "empty where the server asks for none",
        },
    },
}

_GATEWAY = {
    "connection-type": "mlops_gateway",
    "hook-class-name": "airflow_mlops.hooks.gateway.GatewayHook",
    "hook-name": "MLOps model gateway",
    "ui-field-behaviour": {
        "hidden-fields": ["login"],
        "relabeling": {"schema": "Scheme", "password": "Admin token"},
        "placeholders": {
            "host": "models.example.com",
            "port": "8800",
            "schema": "http or https",
            "password": "the --token the gateway was started with",
            "extra": '{"ca_cert": "/etc/mlops/ca.pem", "client_cert": "...", "client_key": "..."}',
        },
    },
}

_PROMETHEUS = {
    "connection-type": "prometheus",
    "hook-class-name": "airflow_mlops.hooks.prometheus.PrometheusHook",
    "hook-name": "Prometheus",
    "ui-field-behaviour": {
        "hidden-fields": [],
        "relabeling": {"schema": "Scheme", "password": "Token, or password of the login"},
        "placeholders": {
            "host": "prometheus.example.com",
            "port": "9090",
            "schema": "http or https",
            "login": "empty for a token, or where the server asks for none",
            "extra": '{"ca_file": "/etc/ssl/internal.pem", "headers": {"X-Scope-OrgID": "shop"}}',
        },
    },
}

_OPTIONS = {
    "description": "Continuous training of machine-learning models.",
    "options": {
        "store": {
            "description": (
                "Folder or URI that holds snapshots, reports, the inference log and the ledger. Workers, the "
                "triggerer and the model gateway must all reach it."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/mnt/mlops",
            "default": "{AIRFLOW_HOME}/mlops",
        },
        "inference_log": {
            "description": (
                "Folder or bucket (s3://bucket/prefix) of the model servers' Parquet files, where they are "
                "started with --log. Empty: inference in the store."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "s3://acme-mlops/inference",
            "default": "",
        },
        "configs_folder": {
            "description": "Folder of model YAMLs, read in addition to the folder of the DAG loader.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/opt/airflow/configs",
            "default": None,
        },
        "cache_folder": {
            "description": (
                "Folder that keeps what the YAML files were compiled to, so that a parse reads only those "
                "that changed. On a local disk, made where it is missing; used only if it belongs to the "
                "user that Airflow runs as and nobody else may write to it. Empty: no cache."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "/var/cache/airflow-mlops",
            "default": "{AIRFLOW_HOME}/mlops-cache",
        },
        "profile": {
            "description": (
                "Which profile is in force: the file profiles/<name>.yaml in the configurations' folders."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "prod",
            "default": None,
        },
        "allowed_imports": {
            "description": (
                "Packages, with commas between, that import paths in models' YAML files may lead to. If "
                "empty: all but Python's standard library and Airflow itself."
            ),
            "version_added": "0.1.0",
            "type": "string",
            "example": "acme_models,sklearn,lightgbm",
            "default": None,
        },
    },
}
