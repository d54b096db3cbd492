"""``airflow-mlops convert``: a model's YAML begun from another tool's files."""

from airflow_mlops.cli.convert.command import command

__all__ = ["command"]
