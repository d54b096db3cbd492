"""``serve``: one gateway process, from its settings to an orderly end on SIGTERM."""

from __future__ import annotations

import os

from airflow_mlops.exceptions import ConfigError, MissingExtra
from airflow_mlops.gateway.settings import Settings

_GRACEFUL_SECONDS = 30


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT: then requests under way are finished and the log is written.

    Raises ``ConfigError`` without a tracking server and ``MissingExtra`` without the ``gateway`` extra.
    """
    # Before numpy and scikit-learn are imported. Two OpenMP threads per call fight over the cores that
    # concurrent requests already fill: a p99 of seconds instead of milliseconds.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if settings.tracking_uri is None:
        raise ConfigError("The gateway needs MLflow to load models from: give --tracking-uri.")
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "uvicorn", "gateway") from error

    from airflow_mlops.gateway.app import create_app
    from airflow_mlops.gateway.models import RegistryLoader
    from airflow_mlops.gateway.process import Gateway

    loader = RegistryLoader(
        settings.model, settings.tracking_uri, settings.tracking_token, settings.trusted_types
    )
    app = create_app(Gateway(settings, loader))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="info",
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        server_header=False,
    )
