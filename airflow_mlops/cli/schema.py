"""``airflow-mlops schema``: the JSON Schema of a model's YAML."""

from __future__ import annotations

import json

import click

from airflow_mlops.config.schema import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of a model's YAML.

    Save it, and name it in the first line of a YAML file, so that the editor completes and checks keys:

    \b
        # yaml-language-server: $schema=./airflow-mlops.schema.json
    """
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
