"""Continuous training of machine-learning models on Apache Airflow.

from airflow_mlops import Model, build_dags  # a model in Python, in an Airflow DAG file
from airflow_mlops import load_dags  # models in YAML files

Operators, sensors, hooks and the rest have modules of their own; docs/reference/stability.md lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlops.factory import Model, build_dags, load_dags

__all__ = ["Model", "__version__", "build_dags", "load_dags"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imported at the first use: Airflow imports this package in every process, for what it registers."""
    if name in ("Model", "build_dags", "load_dags"):
        from importlib import import_module

        return getattr(import_module("airflow_mlops.factory"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
