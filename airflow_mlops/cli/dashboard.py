"""``airflow-mlops dashboard``: a Grafana dashboard of the model servers' and the ledgers' metrics.

``dashboard_panels`` has the panels, of which Grafana's JSON (schema 39, Grafana 10.4 and later) is made:
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from airflow_mlops.cli.dashboard_panels import ROWS, Panel

_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@click.command("dashboard")
def command() -> None:
    """Print a Grafana dashboard (JSON), to be imported in Grafana or put where it is provisioned from.

    Its data source is a Prometheus that scrapes the model servers and `airflow-mlops metrics --port`.
    See docs/how-to/prometheus.md.
    """
    click.echo(dashboard_text(), nl=False)


def dashboard_text() -> str:
    """The dashboard as a file holds it."""
    return json.dumps(dashboard(), indent=2) + "\n"


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard model."""
    return {
        "uid": "airflow-mlops",
        "title": "Models (airflow-mlops)",
        "description": "Champions, drift, decay, rollouts and retraining by the ledgers; the model servers.",
        "tags": ["airflow-mlops"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                {
                    "type": "datasource",
                    "name": "datasource",
                    "label": "Prometheus",
                    "query": "prometheus",
                    "refresh": 1,
                    "current": {"selected": True, "text": "default", "value": "default"},
                    "hide": 0,
                },
                _variable("model", "Model", "label_values(mlops_ledger_readable, model)"),
                _variable("instance", "Server", "label_values(mlops_gateway_ready, instance)"),
            ]
        },
        "panels": list(_panels()),
    }


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _SOURCE,
        "definition": query,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Rows below each other, and in each its panels from left to right."""
    number, y = 1, 0
    for title, panels in ROWS.items():
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
            "panels": [],
        }
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in panels:
            height = 5 if panel.kind == "stat" else 8
            if x + panel.width > _WIDTH:
                x, y, tallest = 0, y + tallest, 0
            yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
            number, x, tallest = number + 1, x + panel.width, max(tallest, height)
        y += tallest


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    now = panel.kind == "stat"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": query,
                "legendFormat": legend,
                "instant": now,
                "range": not now,
            }
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": _stat_options() if now else _series_options(),
    }


def _stat_options() -> dict[str, Any]:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }


def _series_options() -> dict[str, Any]:
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
