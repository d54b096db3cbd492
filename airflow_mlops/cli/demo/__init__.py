"""``airflow-mlops demo``: a year of real flights through a real Airflow, MLflow and model server."""

from airflow_mlops.cli.demo.command import command

__all__ = ["command"]
