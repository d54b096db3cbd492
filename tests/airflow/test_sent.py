"""Alerts sent by the providers' own notifiers: mail over TLS, and to a server that answers as Slack does."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.notifications import FindingsNotifier
from airflow_mlops.notifications import findings as sending
from airflow_mlops.notifications.catalog import asking_notifier, failure_notifier
from airflow_mlops.notifications.deadline import tell

NOW = datetime(2026, 3, 10, 6, tzinfo=timezone.utc)
TOKEN = "T0/B0/hush"
MAIL = {"type": "smtp", "conn_id": "mail", "to": ["ada@example.com", "bob@example.com"]}
MAILED = {**MAIL, "from_email": None}
SLACK = {"type": "slack_webhook", "conn_id": "slack"}
REPORT = "https://airflow.example.com/mlops/reports/churn.monitor/r1/drift.html"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://mlflow.example.com:5000")
    return connect(Endpoints(store=str(tmp_path / "store")))


@pytest.fixture
def clock(monkeypatch):
    """``clock.now`` is when alerts are sent."""
    told = SimpleNamespace(now=NOW)
    monkeypatch.setattr(sending, "datetime", SimpleNamespace(now=lambda _: told.now))
    return told


@pytest.fixture
def mailbox(tls_mail_server, certificate, monkeypatch):
    """Mail by the connection that docs/how-to/alerts.md writes down for each kind of TLS."""
    connect_mail(monkeypatch, tls_mail_server)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return tls_mail_server.mails


def connect_mail(monkeypatch, server, **more: Any) -> None:
    extra = {"disable_tls": True} if server.implicit else {"disable_ssl": True}
    extra |= {"from_email": "mlops@example.com", "timeout": 5, **more}
    said = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(said | {"login": "ada", "password": "s3cret"}))


@pytest.fixture
def slack(monkeypatch) -> Iterator[SimpleNamespace]:
    """Slack's incoming webhooks (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks):
    plain-text answers, and a body that must be a JSON object with a text. ``down`` answers 503."""
    found = SimpleNamespace(texts=[], down=False)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code, said = self.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(said.encode())

        def answer(self, body: bytes) -> tuple[int, str]:
            if found.down:
                return 503, "service_unavailable"
            if self.path != f"/services/{TOKEN}":
                return 403, "invalid_token"
            if not self.headers["Content-Type"].startswith("application/json"):
                return 400, "invalid_payload"
            if not json.loads(body).get("text"):
                return 400, "no_text"
            found.texts.append(json.loads(body)["text"])
            return 200, "ok"

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    found.host = f"http://127.0.0.1:{server.server_address[1]}/services"
    connect_slack(monkeypatch, found)
    yield found
    server.shutdown()
    server.server_close()


def connect_slack(monkeypatch, slack, token: str = TOKEN) -> None:
    said = {"conn_type": "slackwebhook", "host": slack.host, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(said))


def found(at: datetime = NOW, day: int = 1, **data: Any) -> Entry:
    end = datetime(2026, 3, 1, tzinfo=timezone.utc) + timedelta(days=day)
    return Entry(
        model="churn",
        kind="monitored",
        subject=end.isoformat(),
        at=at,
        dag_id="churn.monitor",
        run_id="r1",
        version="3",
        reasons=("3 of 9 columns drifted (33.3 %)", "plan <!channel> & co: psi 0.4"),
        evidence=("file:///store/reports/churn.monitor/r1/drift.html",),
        window=Window(end - timedelta(days=1), end),
        data={"drifted": True, "decayed": False, "drift_share": 0.3, "upstream_fault": None, **data},
    )


def context(run_id: str = "r1") -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(dag_id="churn.monitor", run_id=run_id)}


def teller(*to: dict[str, Any], **more: Any) -> FindingsNotifier:
    return FindingsNotifier(model="churn", routes=[{"to": list(to)}], owner="growth", **more)


def html_of(mail: Any) -> str:
    text: str = mail.get_body(("html",)).get_content()
    return text


def test_a_finding_is_mailed_once_over_tls_with_severity_reasons_and_links(store, clock, mailbox):
    store.ledger.append(found())
    for run in ("r1", "r1", "r2"):
        teller(MAIL)(context(run))
    (mail,) = mailbox
    assert mail["Subject"] == "[warning] churn: drift in 2026-03-01 to 2026-03-02"
    assert mail["To"] == "ada@example.com, bob@example.com"
    assert f'<a href="{REPORT}">drift report</a>' in html_of(mail)
    assert "plan &lt;!channel&gt; &amp; co: psi 0.4" in html_of(mail)


def test_a_mail_server_that_is_not_trusted_gets_nothing_until_it_is(
    store, clock, mailbox, tls_mail_server, monkeypatch
):
    monkeypatch.delenv("SSL_CERT_FILE")
    store.ledger.append(found())
    with pytest.raises(ssl.SSLCertVerificationError):
        teller(MAIL).tell(context())
    assert mailbox == []
    connect_mail(monkeypatch, tls_mail_server, ssl_context="none")
    assert len(teller(MAIL).tell(context())) == 1
    assert len(mailbox) == 1


def test_a_finding_comes_to_slack_once_with_severity_reasons_and_links(store, clock, slack):
    store.ledger.append(found())
    for run in ("r1", "r1", "r2"):
        teller(SLACK)(context(run))
    (text,) = slack.texts
    assert text.splitlines()[:3] == [
        "*[warning] churn: drift in 2026-03-01 to 2026-03-02* (owner: growth)",
        "• 3 of 9 columns drifted (33.3 %)",
        "• plan &lt;!channel&gt; &amp; co: psi 0.4",
    ]
    assert f"<{REPORT}|drift report>" in text


def test_each_severity_goes_where_it_is_routed(store, clock, slack, mailbox):
    store.ledger.append(found(decayed=True))
    routes = [{"at_least": "critical", "to": [SLACK]}, {"events": ["drift"], "to": [MAIL]}]
    FindingsNotifier(model="churn", routes=routes)(context())
    (text,) = slack.texts
    assert text.startswith("*[critical] churn: decay in 2026-03-01 to 2026-03-02")
    assert [mail["Subject"] for mail in mailbox] == ["[warning] churn: drift in 2026-03-01 to 2026-03-02"]


def test_a_slack_that_is_down_for_days_is_told_in_one_message_of_what_it_missed(store, clock, slack, mailbox):
    slack.down = True
    store.ledger.append(found(NOW))
    with pytest.raises(Exception, match="503"):
        teller(SLACK, MAIL).tell(context())
    assert len(mailbox) == 1
    (said,) = [one for one in store.ledger.entries("churn") if one.data.get("because") == "unreached"]
    assert said.reasons[0].startswith("could not reach slack_webhook slack ")
    store.ledger.append(found(NOW + timedelta(days=1), 2, decayed=True))
    slack.down, clock.now = False, NOW + timedelta(days=4)
    teller(SLACK)(context("r4"))
    teller(SLACK)(context("r5"))
    (text,) = slack.texts
    assert text.startswith("*[critical] churn: 2 findings were not told here since 2026-03-1")
    assert "[critical] churn: decay in" in text
    assert "[warning] churn: drift in" in text


def test_a_mail_server_that_is_down_is_told_by_the_next_run(
    store, clock, mailbox, tls_mail_server, monkeypatch
):
    store.ledger.append(found())
    port, tls_mail_server.port = tls_mail_server.port, 1
    connect_mail(monkeypatch, tls_mail_server)
    with pytest.raises(ConnectionRefusedError):
        teller(MAIL).tell(context())
    tls_mail_server.port = port
    connect_mail(monkeypatch, tls_mail_server)
    teller(MAIL)(context("r2"))
    assert [mail["Subject"] for mail in mailbox] == ["[warning] churn: drift in 2026-03-01 to 2026-03-02"]


def test_a_refusal_of_slacks_is_told_without_the_token(store, clock, slack, monkeypatch, caplog):
    connect_slack(monkeypatch, slack, "T0/B0/wrong")
    store.ledger.append(found())
    with pytest.raises(Exception, match="403") as refused:
        teller(SLACK).tell(context())
    assert "T0/B0/wrong" not in f"{refused.value}{caplog.text}"
    assert "invalid_token" in str(refused.value)


def failed_task() -> dict[str, Any]:
    ti = SimpleNamespace(
        dag_id="churn.train",
        run_id="r1",
        task_id="train",
        try_number=2,
        log_url="https://airflow.example.com/log?try=2&map=1",
    )
    said = "Cause: data. f.<locals>.g is no <!channel>."
    return {"ti": ti, "task": SimpleNamespace(failure_said=said)}


def test_a_failed_task_comes_to_slack_with_its_cause_and_a_link_and_calls_nobody(slack):
    failure_notifier(SLACK, owner="growth")(failed_task())
    assert slack.texts == [
        "churn.train: task train failed in run r1 (try 2). Cause: data. f.&lt;locals&gt;.g is no "
        "&lt;!channel&gt;. Log: https://airflow.example.com/log?try=2&amp;map=1 (owner: growth)"
    ]


def test_a_failed_task_is_mailed_with_its_cause_and_a_link(mailbox):
    failure_notifier(MAILED, owner="growth")(failed_task())
    (mail,) = mailbox
    assert mail["Subject"] == "churn.train: task train failed in run r1 (try 2)"
    assert "f.&lt;locals&gt;.g is no" in html_of(mail)
    assert re.search(r'<a href="https://airflow\.example\.com/log\?try=2&amp;map=1"', html_of(mail))


def test_a_question_is_mailed_under_its_subject_with_the_link_to_answer_it(mailbox):
    task = SimpleNamespace(
        subject="Promote churn version 3?", answer_url=lambda _: "https://a.example/answer"
    )
    asking_notifier(MAILED, owner="growth")({**failed_task(), "task": task})
    (mail,) = mailbox
    assert mail["Subject"] == "churn.train: Promote churn version 3?"
    assert '<a href="https://a.example/answer"' in html_of(mail)


def test_a_run_that_is_late_is_told_to_slack_and_by_mail_with_a_link(slack, mailbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    late = {"dag_run": {"dag_id": "churn.train", "dag_run_id": "m1"}, "deadline": {"deadline_time": "t"}}
    alerts = [SLACK, MAILED]
    asyncio.run(tell(alerts=alerts, owner="growth", limit_seconds=3600, context=late))
    (text,), (mail,) = slack.texts, mailbox
    said = "churn.train: run m1 is not over after 1 hour"
    assert text == f"{said}. Page: https://airflow.example.com/dags/churn.train/runs/m1 (owner: growth)"
    assert mail["Subject"] == said
    assert '<a href="https://airflow.example.com/dags/churn.train/runs/m1"' in html_of(mail)
