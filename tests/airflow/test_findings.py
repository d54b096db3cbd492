"""What the loop finds is told: by real HTTP and real mail, once, whoever could not be reached again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import ConfigError, StoreUnavailable
from airflow_mlops.notifications import FindingsNotifier
from airflow_mlops.operators import TellFindingsOperator

WEBHOOK = {"type": "webhook", "conn_id": "ops", "endpoint": "hooks/ml"}
BROKEN = {"type": "webhook", "conn_id": "ops", "endpoint": "broken"}
MISSING = {"type": "webhook", "conn_id": "nobody"}
MAIL = {"type": "smtp", "conn_id": "mail", "to": ["ada@example.com", "bob@example.com"]}
SLACK = {"type": "slack_webhook", "conn_id": "slack"}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLOPS__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "mlflow://ada:s3cret@mlflow.example.com:5000")
    return connect(Endpoints(store=str(tmp_path / "store")))


@pytest.fixture
def connected(server, monkeypatch):
    said = {"conn_type": "http", "host": "127.0.0.1", "port": server.port, "password": "t0ken"}
    monkeypatch.setenv("AIRFLOW_CONN_OPS", json.dumps(said))
    slack = {"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{server.port}", "password": "T0/B0/x"}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(slack))
    return server


@pytest.fixture
def mailbox(mail_server, monkeypatch):
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "mlops@example.com", "retry_limit": 1}
    said = {"conn_type": "smtp", "host": "127.0.0.1", "port": mail_server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(said))
    return mail_server.mails


def found(day: int = 1, model: str = "churn", **data: Any) -> Entry:
    """Drift in the window of a day, looked at just now."""
    end = datetime(2026, 3, 1, tzinfo=timezone.utc) + timedelta(days=day)
    return Entry(
        model=model,
        kind="monitored",
        subject=end.isoformat(),
        at=datetime.now(timezone.utc),
        dag_id=f"{model}.monitor",
        run_id="scheduled__2026-03-02T00:00:00+00:00",
        version="3",
        reasons=("3 of 9 columns drifted (33.3 %)", "plan <b>{{ var.value.secret }}</b>: psi 0.4"),
        evidence=("file:///store/reports/churn.monitor/r1/drift.html",),
        window=Window(end - timedelta(days=1), end),
        data={"drifted": True, "decayed": False, "drift_share": 0.3, "upstream_fault": None, **data},
    )


def context(run_id: str = "r1") -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(dag_id="churn.monitor", run_id=run_id)}


def teller(*to: dict[str, Any], **more: Any) -> FindingsNotifier:
    return FindingsNotifier(model="churn", routes=[{"to": list(to)}], owner="growth", **more)


def test_a_finding_is_posted_once_with_its_reasons_and_links(store, connected):
    store.ledger.append(found())
    teller(WEBHOOK)(context())
    teller(WEBHOOK)(context())
    teller(WEBHOOK)(context("r2"))
    ((path, headers, body),) = connected.posts
    assert (path, headers["Authorization"]) == ("/hooks/ml", "Bearer t0ken")
    assert body["links"] == {
        "run": "https://airflow.example.com/dags/churn.monitor/runs/scheduled__2026-03-02T00%3A00%3A00%2B00%3A00",
        "drift report": "https://airflow.example.com/mlops/reports/churn.monitor/r1/drift.html",
        "model version": "http://mlflow.example.com:5000/#/models/churn/versions/3",
    }
    assert {name: body[name] for name in ("event", "severity", "because", "model", "version", "owner")} == {
        "event": "drift",
        "severity": "warning",
        "because": "new",
        "model": "churn",
        "version": "3",
        "owner": "growth",
    }
    assert body["text"].splitlines()[:2] == [
        "[warning] churn: drift in 2026-03-01 to 2026-03-02 (owner: growth)",
        "- 3 of 9 columns drifted (33.3 %)",
    ]
    assert "s3cret" not in json.dumps(body)


def test_what_data_and_people_wrote_is_quoted_and_never_read_as_a_template(store, connected, mailbox):
    store.ledger.append(found())
    teller(WEBHOOK, MAIL)(context())
    ((_, _, body),) = connected.posts
    assert "plan <b>{{ var.value.secret }}</b>: psi 0.4" in body["reasons"]
    (mail,) = mailbox
    html = mail.get_body(("html",)).get_content()
    assert "plan &lt;b&gt;{{ var.value.secret }}&lt;/b&gt;: psi 0.4" in html


def test_a_finding_is_mailed_to_all_with_its_links(store, mailbox):
    store.ledger.append(found())
    teller(MAIL)(context())
    (mail,) = mailbox
    assert mail["Subject"] == "[warning] churn: drift in 2026-03-01 to 2026-03-02"
    assert (mail["From"], mail["To"]) == ("mlops@example.com", "ada@example.com, bob@example.com")
    html = mail.get_body(("html",)).get_content()
    assert '<a href="https://airflow.example.com/mlops/reports/churn.monitor/r1/drift.html">' in html
    assert "Owner: growth" in html


def test_a_finding_comes_to_a_slack_channel_in_slacks_own_markup(store, connected):
    pytest.importorskip("airflow.providers.slack", reason="no apache-airflow-providers-slack here")
    store.ledger.append(found())
    teller(SLACK)(context())
    ((path, _, body),) = connected.posts
    assert path == "/T0/B0/x"
    assert body["text"].startswith("*[warning] churn: drift in 2026-03-01 to 2026-03-02* (owner: growth)")
    assert "plan &lt;b&gt;{{ var.value.secret }}&lt;/b&gt;" in body["text"]
    assert "<http://mlflow.example.com:5000/#/models/churn/versions/3|model version>" in body["text"]


def test_one_who_cannot_be_reached_keeps_nobody_else_from_being_told_and_is_told_by_the_retry(
    store, connected, mailbox
):
    store.ledger.append(found())
    told = teller(BROKEN, WEBHOOK, MAIL)
    with pytest.raises(httpx.HTTPStatusError):
        told.tell(context())
    assert [path for path, _, _ in connected.posts] == ["/broken", "/hooks/ml"]
    assert len(mailbox) == 1
    with pytest.raises(httpx.HTTPStatusError):
        told.tell(context())
    assert [path for path, _, _ in connected.posts] == ["/broken", "/hooks/ml", "/broken"]
    first, again = (body["id"] for path, _, body in connected.posts if path == "/broken")
    assert first == again


def test_the_end_of_a_finding_is_told_to_those_who_know_of_it(store, connected):
    store.ledger.append(found())
    teller(WEBHOOK)(context())
    store.ledger.append(found(2, drifted=False))
    told = teller(WEBHOOK, {**WEBHOOK, "endpoint": "others"}).tell(context("r2"))
    assert [path for path, _, _ in connected.posts] == ["/hooks/ml", "/hooks/ml"]
    assert connected.posts[-1][2]["because"] == "over"
    assert connected.posts[-1][2]["text"].startswith("[over] churn: no more drift, by 2026-03-02")
    assert len(told) == 1


def test_two_runs_that_end_together_do_not_tell_the_same_thing_twice(store, connected):
    store.ledger.append(found())
    with (
        store.store.exclusive("alerts/churn"),
        pytest.raises(StoreUnavailable, match=r"alerts/churn .* is being written by another task"),
    ):
        teller(WEBHOOK).tell(context())
    assert connected.posts == []


def test_the_task_tells_what_the_notifier_does_and_a_wrong_setting_is_not_retried(store, connected):
    store.ledger.append(found())
    with DAG("by_hand", schedule=None):
        tell = TellFindingsOperator(task_id="tell", notifier=teller(WEBHOOK))
        wrong = TellFindingsOperator(task_id="wrong", notifier=teller({"type": "pigeon", "conn_id": "ops"}))
    (line,) = tell.execute(context())
    assert line.startswith("churn: drift in 2026-03-01 to 2026-03-02 (warning, new): webhook ops ")
    with pytest.raises(AirflowFailException, match=r"FindingsNotifier of churn: routes\.0\.to\.0"):
        wrong.execute(context())
    assert tell.is_teardown
    assert not tell.on_failure_fail_dagrun


def test_who_was_told_stands_in_the_ledger_without_peoples_addresses(store, mailbox):
    store.ledger.append(found())
    teller(MAIL)(context())
    (entry,) = [entry for entry in store.ledger.entries("churn") if entry.kind == "alerted"]
    assert entry.data["event"] == "drift"
    assert "ada@example.com" not in repr(entry)


@pytest.mark.slow
@pytest.mark.airflow
def test_telling_neither_hides_a_failure_nor_is_one_of_the_run(store, connected, mlops_run_dag):
    store.ledger.append(found())
    with DAG("churn.breaks", auto_register=False) as breaks:
        broken = EmptyOperator(task_id="broken", pre_execute=_break)
        follows = EmptyOperator(task_id="follows")
        broken >> follows >> TellFindingsOperator(task_id="tell", notifier=teller(WEBHOOK))
    run = mlops_run_dag(breaks)
    assert run.tasks == {"broken": "failed", "follows": "upstream_failed", "tell": "success"}
    assert run.state == "failed"
    ((_, _, body),) = connected.posts
    assert body["event"] == "drift"

    with DAG("churn.works", auto_register=False) as works:
        EmptyOperator(task_id="fine") >> TellFindingsOperator(task_id="tell", notifier=teller(MISSING))
    run = mlops_run_dag(works)
    assert (run.state, run.tasks) == ("success", {"fine": "success", "tell": "failed"})


def _break(_: Any) -> None:
    raise AirflowFailException("the data are away")


def test_an_error_that_a_retry_may_mend_goes_before_one_that_it_cannot(store, connected):
    store.ledger.append(found())
    with pytest.raises(httpx.HTTPStatusError):
        teller(MISSING, BROKEN).tell(context())
    with pytest.raises(ConfigError, match="no connection 'nobody'"):
        teller(MISSING).tell(context())


def test_a_receiver_that_never_could_be_reached_is_noted_once(store, connected):
    store.ledger.append(found())
    for run in ("r1", "r2"):
        with pytest.raises(httpx.HTTPStatusError):
            teller(BROKEN)(context(run))
    (tried,) = [entry for entry in store.ledger.entries("churn") if entry.kind == "alerted"]
    assert tried.data["because"] == "unreached"
