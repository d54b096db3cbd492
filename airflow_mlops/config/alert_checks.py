"""What is wrong between ``alerts`` and the rest of a file whose parts are each right."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.core.alerting import Route, mute
from airflow_mlops.core.news import EVENTS


def alert_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """A deadline or a route for which there is nothing to tell."""
    alerts, watched = config.alerts, config.level >= 2 or config.monitor.cron is not None
    if alerts.deadline.monitor is not None and not watched:
        yield (
            ("alerts", "deadline", "monitor"),
            "there is no monitor DAG: give monitor.cron, or leave it out",
        )
    named = [Route((), route.floor, frozenset(route.events or ())) for route in alerts.routes]
    for index, event in mute(named, alerts.severity):
        yield (
            ("alerts", "routes", index, "at_least"),
            f"{event} is {alerts.severity.get(event, EVENTS[event].severity)}, which is below "
            f"{alerts.routes[index].floor}, and would never be told; lower at_least, or give it another "
            "severity in alerts.severity",
        )
    for index, route in enumerate(alerts.routes):
        for place, event in enumerate(route.events or ()):
            if EVENTS[event].found_by == "monitor" and not watched:
                yield (
                    ("alerts", "routes", index, "events", place),
                    f"{event} is found by the monitor DAG, and there is none: give monitor.cron, or leave it "
                    "out",
                )
