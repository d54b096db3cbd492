"""``airflow-mlops schema``: the JSON Schema of a model's YAML."""

from __future__ import annotations

import click

from airflow_mlops.config.schema import SCHEMA_FILE


@click.command("schema")
@click.option("--path", "only_path", is_flag=True, help="Print where the schema's file is installed.")
def command(only_path: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of a model's YAML.

    Named in a YAML file's first line it lets the editor complete, explain and check keys. Keep a copy in
    your repository, or name the installed file, which --path prints:

    \b
        # yaml-language-server: $schema=./airflow-mlops.schema.json

    It knows keys, types and ranges; what one part asks of another, only lint knows.
    """
    if only_path:
        click.echo(SCHEMA_FILE)
    else:
        click.echo(SCHEMA_FILE.read_text(encoding="utf-8"), nl=False)
