"""Who is told, and what: the webhook's post, and a deadline that is told to everybody."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import httpx
import pytest

from airflow_mlops.exceptions import ConfigError
from airflow_mlops.notifications.catalog import asking_notifier, failure_notifier
from airflow_mlops.notifications.deadline import tell
from airflow_mlops.notifications.webhook import WebhookNotifier

LATE = {
    "dag_run": {"dag_id": "rain.train", "dag_run_id": "manual__1"},
    "deadline": {"id": "d", "deadline_time": "2026-03-01T06:00:00+00:00"},
}


@pytest.fixture
def connected(server, monkeypatch):
    said = {"conn_type": "http", "host": "127.0.0.1", "port": server.port, "extra": {"X-Team": "weather"}}
    monkeypatch.setenv("AIRFLOW_CONN_OPS", json.dumps(said))
    return server


def failure() -> dict[str, object]:
    task = SimpleNamespace(
        dag_id="rain.train", run_id="r1", task_id="train", map_index=-1, try_number=2, log_url="http://a/log"
    )
    return {"ti": task, "exception": ValueError("a password of somebody's")}


def test_a_failure_is_posted_with_headers_of_the_connection_and_without_the_errors_words(connected):
    alert = {"type": "webhook", "conn_id": "ops", "endpoint": "hook"}
    failure_notifier(alert, owner="weather")(failure())
    ((path, headers, body),) = connected.posts
    assert (path, headers["X-Team"]) == ("/hook", "weather")
    assert "Authorization" not in headers
    assert body["error"] == "ValueError"
    assert body["text"] == "rain.train: task train failed in run r1 (try 2). Log: http://a/log"
    assert "password" not in json.dumps(body)


def test_a_service_that_refuses_the_post_is_an_error(connected):
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        WebhookNotifier(http_conn_id="ops", endpoint="broken").notify(failure())


def test_a_connection_that_is_missing_is_named_with_the_command_that_adds_it():
    with pytest.raises(ConfigError, match="airflow connections add nobody --conn-type http"):
        WebhookNotifier(http_conn_id="nobody").notify(failure())


def test_everybody_is_told_of_a_missed_deadline_also_after_one_who_cannot_be(connected):
    alerts = [
        {"type": "webhook", "conn_id": "ops", "endpoint": "broken"},
        {"type": "webhook", "conn_id": "ops", "endpoint": "well"},
    ]
    with pytest.raises(httpx.HTTPStatusError):
        asyncio.run(tell(alerts=alerts, owner="weather", limit_seconds=21_600, context=LATE))
    path, _, body = connected.posts[-1]
    assert path == "/well"
    assert body["event"] == "deadline_missed"
    assert body["text"].startswith("rain.train: run manual__1 is not over after 6 hours. Page: http")
    assert body["url"].endswith("/dags/rain.train/runs/manual__1")


def test_the_post_of_a_question_leads_to_its_form(connected):
    task = SimpleNamespace(dag_id="rain.deploy", run_id="r1", task_id="approve", map_index=-1, try_number=1)
    asks = SimpleNamespace(
        subject="Roll out rain version 2?", answer_url=lambda ti: f"http://a/{ti.task_id}/form"
    )
    said = asking_notifier({"type": "webhook", "conn_id": "ops", "endpoint": "asked"}, owner="weather")
    said({"ti": task, "task": asks})
    ((path, _, body),) = connected.posts
    assert path == "/asked"
    assert body == {
        "event": "person_asked",
        "dag_id": "rain.deploy",
        "run_id": "r1",
        "task_id": "approve",
        "map_index": -1,
        "try_number": 1,
        "url": "http://a/approve/form",
        "owner": "weather",
        "text": "rain.deploy: Roll out rain version 2? Answer: http://a/approve/form",
    }
