"""``airflow-mlops alert-rules``: rules for Prometheus to page by, on these metrics."""

from __future__ import annotations

from pathlib import Path

import click

RULES_FILE = Path(__file__).with_name("alert_rules.yaml")


@click.command("alert-rules")
def command() -> None:
    """Print alert rules (YAML) for Prometheus' `rule_files`.

    Error rate, latency, no champion, lost log rows; drift, decay, broken data, few labels, a monitor that
    does not run, an open circuit breaker. See docs/how-to/prometheus.md.
    """
    click.echo(RULES_FILE.read_text(encoding="utf-8"), nl=False)
