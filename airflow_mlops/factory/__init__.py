"""One YAML file per model becomes Airflow DAGs. A DAG file of two lines loads them all:

from airflow_mlops.factory import load_dags  # an Airflow DAG file
load_dags(globals())

A model may be written in Python as well, in a DAG file of its own: see ``Model``.
"""

from __future__ import annotations

from airflow_mlops.factory.load import Loaded, Problem, load_dags, load_file, load_folders
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
