"""One YAML file per model becomes Airflow DAGs. A DAG file of two lines loads them all:

from airflow_mlops.factory import load_dags  # an Airflow DAG file
load_dags(globals())

A model may be written in Python as well, in a DAG file of its own: see ``Model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_mlops.factory.load import load_dags, load_file, load_folders
from airflow_mlops.factory.loaded import Loaded, Problem

if TYPE_CHECKING:
    from airflow_mlops.factory.model import Model, ModelKeys, build_dags

__all__ = [
    "Loaded",
    "Model",
    "ModelKeys",
    "Problem",
    "build_dags",
    "load_dags",
    "load_file",
    "load_folders",
]


def __getattr__(name: str) -> Any:
    """Models in Python at their first use: they bring the types, which a folder of YAML can do without."""
    if name in ("Model", "ModelKeys", "build_dags"):
        return getattr(import_module(f"{__name__}.model"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
