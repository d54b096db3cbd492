"""The page about alerts names every event as the code has it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

from airflow_mlops.core.alerting import Alert
from airflow_mlops.core.ledger import Entry
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
