"""The command group: a table of names, each imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from airflow_mlops import __version__
from airflow_mlops.exceptions import MlopsError

# name -> where it is, and what it does in a few words (so that --help imports none of them)
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("airflow_mlops.cli.init:command", "Begin a model: its YAML, its code and a test."),
    "convert": (
        "airflow_mlops.cli.convert:command",
        "Begin models from dag-factory or Databricks mlops-stacks files.",
    ),
    "lint": ("airflow_mlops.cli.lint:command", "Check models' YAML files."),
    "plan": ("airflow_mlops.cli.plan:command", "Show the DAGs that a YAML file becomes."),
    "show": ("airflow_mlops.cli.show:command", "Show all settings of a YAML file, defaults filled in."),
    "schema": ("airflow_mlops.cli.schema:command", "Print the JSON Schema for editors."),
    "migrate": ("airflow_mlops.cli.migrate:command", "Carry YAML files to the newest apiVersion."),
    "history": ("airflow_mlops.cli.history:command", "Show which version was champion when, and why."),
    "compact-log": ("airflow_mlops.cli.compact_log:command", "Make Parquet of what a model server logged."),
    "rollback": ("airflow_mlops.cli.rollback:command", "Put an earlier champion back."),
    "serve": ("airflow_mlops.cli.serve:command", "Serve a model's champion over HTTP."),
    "metrics": ("airflow_mlops.cli.metrics:command", "Show the ledger's numbers to Prometheus."),
    "dashboard": ("airflow_mlops.cli.dashboard:command", "Print a Grafana dashboard of these metrics."),
    "alert-rules": ("airflow_mlops.cli.alert_rules:command", "Print Prometheus alert rules for them."),
    "step": ("airflow_mlops.cli.step:command", "Run one step on a JSON request."),
    "demo": ("airflow_mlops.cli.demo:command", "Replay a year of flights on this machine."),
}


class LazyGroup(click.Group):
    """Commands of the table; errors of this package end as one message, not as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those that are installed here."""
        del ctx
        return [name for name, (place, _) in COMMANDS.items() if find_spec(place.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MlopsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="airflow-mlops")
def main() -> None:
    """Continuous training on Apache Airflow: one YAML file per model."""
