"""The pages about alerts and metrics name every event, metric and rule as the code has it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import yaml

from airflow_mlops.cli.alert_rules import RULES_FILE
from airflow_mlops.core.alerting import Alert
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_metrics import FAMILIES
from airflow_mlops.core.news import EVENTS, news
from airflow_mlops.notifications.shown import shown


def test_the_table_of_events_is_that_of_the_code(repository) -> None:
    page = (repository / "docs" / "how-to" / "alerts.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \|", page, re.MULTILINE)
    assert set(listed) == {(name, event.severity, event.found_by) for name, event in EVENTS.items()}


def test_a_webhook_gets_the_fields_that_the_page_shows(repository) -> None:
    page = (repository / "docs" / "how-to" / "alerts.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    now = datetime(2026, 3, 2, tzinfo=timezone.utc)
    (item,) = news([Entry("churn", "promoted", "3", now, "churn.deploy", "r1", version="3")])
    body = shown(Alert(item, "ops", "info", "new"), {}, "growth")["body"]
    assert set(json.loads(example)) == {*body, "owner", "text"}


def test_the_page_about_prometheus_names_every_metric_and_rule(repository) -> None:
    page = (repository / "docs" / "how-to" / "prometheus.md").read_text()
    for name, family in FAMILIES.items():
        labels = ",".join(("model", *family.labels))
        assert f"`mlops_{name}{{{labels}}}`" in page
    rules = [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
    assert all(f"`{rule['alert']}`" in page for rule in rules)
