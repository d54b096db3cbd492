"""Airflow connections and configuration become backends."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.hooks.gateway import GatewayHook
    from airflow_mlops.hooks.mlflow import MlflowHook
    from airflow_mlops.hooks.prometheus import PrometheusHook

__all__ = ["GatewayHook", "MlflowHook", "PrometheusHook"]

_MODULES = {"GatewayHook": "gateway", "MlflowHook": "mlflow", "PrometheusHook": "prometheus"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
