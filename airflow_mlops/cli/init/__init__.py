"""``airflow-mlops init``: the files of a first model, which train at once."""

from airflow_mlops.cli.init.command import command

__all__ = ["command"]
