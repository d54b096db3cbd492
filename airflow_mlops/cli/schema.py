"""``airflow-mlops schema``: the JSON Schemas of the YAML files."""

from __future__ import annotations

from typing import cast

import click

from airflow_mlops.config.schema import SCHEMA_FILES, Language


@click.command("schema")
@click.option(
    "--for",
    "language",
    type=click.Choice(list(SCHEMA_FILES)),
    default="model",
    show_default=True,
    help="Which kind of file: a model's, a layer (defaults.yaml and profiles), or policy.yaml.",
)
@click.option("--path", "only_path", is_flag=True, help="Print where the schema's file is installed.")
def command(language: str, only_path: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of a YAML file.

    Named in a YAML file's first line it lets the editor complete, explain and check keys. Keep a copy in
    your repository, or name the installed file, which --path prints:

    \b
        # yaml-language-server: $schema=./airflow-mlops.schema.json

    It knows keys, types and ranges; what one part asks of another, only lint knows.
    """
    file = SCHEMA_FILES[cast("Language", language)]
    if only_path:
        click.echo(file)
    else:
        click.echo(file.read_text(encoding="utf-8"), nl=False)
