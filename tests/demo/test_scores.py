"""The story of a month as the ledger tells it, and how it is shown."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from airflow_mlops.cli.demo.failures import last_lines
from airflow_mlops.cli.demo.report import show_addresses, show_result
from airflow_mlops.cli.demo.scores import MonthScore, Story, versions_in_order, what_was_decided
from airflow_mlops.cli.demo.stack import Site, new_site
from airflow_mlops.cli.demo.traffic import Answer, months
from airflow_mlops.core.ledger import Entry, EntryKind

AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def entry(minute: int, kind: EntryKind, subject: str, run_id: str, *reasons: str, **data: Any) -> Entry:
    return Entry(
        model="flight_delay",
        kind=kind,
        subject=subject,
        at=AT + timedelta(minutes=minute),
        dag_id="d",
        run_id=run_id,
        reasons=reasons,
        data=data,
    )


ASKED = [
    entry(0, "monitored", "w", "look", "3 of 15 columns drifted"),
    entry(1, "retrain_requested", "r1", "look", "drift in April", cause="drift"),
]


def test_a_retraining_that_is_promoted_is_told_with_its_cause() -> None:
    entries = [
        *ASKED,
        entry(2, "gated", "run", "train", "better", outcome="pass"),
        entry(3, "registered", "2", "train", role="challenger"),
        entry(4, "promoted", "2", "deploy", "canary passed"),
    ]
    told = what_was_decided(entries, "look", "train")
    assert told == Story("drift: v2 promoted", ("drift in April",))


def test_a_challenger_that_is_held_is_told_with_the_gates_first_reason() -> None:
    entries = [*ASKED, entry(2, "gated", "run", "train", "roc_auc is 0.03 worse", "log_loss", outcome="fail")]
    told = what_was_decided(entries, "look", "train")
    assert told == Story("drift: challenger held", ("drift in April", "roc_auc is 0.03 worse"))


def test_a_rollback_is_told_with_its_reason() -> None:
    entries = [
        *ASKED,
        entry(3, "registered", "2", "train", role="challenger"),
        entry(4, "rolled_back", "2", "deploy", "canary 0.2: 5 errors in 300 rows"),
    ]
    told = what_was_decided(entries, "look", "train")
    assert told == Story("drift: v2 rolled back", ("drift in April", "canary 0.2: 5 errors in 300 rows"))


def test_a_refusal_and_a_quiet_month_are_told_with_why() -> None:
    refused = [entry(1, "retrain_refused", "r1", "look", "the budget is spent", cause="drift")]
    told = what_was_decided(refused, "look", None)
    assert told == Story("drift: no retraining", ("the budget is spent",))
    quiet = [entry(0, "monitored", "w", "look", "no drift and no decay")]
    assert what_was_decided(quiet, "look", None) == Story("champion kept", ("no drift and no decay",))


def test_a_promotion_of_another_month_is_not_told_again() -> None:
    entries = [*ASKED, entry(4, "promoted", "7", "deploy", "canary passed")]
    assert what_was_decided(entries, "look", None).decision == "drift: retraining asked"


def test_the_versions_that_answered_are_named_once_in_order() -> None:
    answers = [Answer(0.1, "1"), Answer(0.2, "2"), Answer(0.1, "1"), Answer(0.3, "2")]
    assert versions_in_order(answers) == ("1", "2")


def test_months_are_calendar_months_over_the_turn_of_a_year() -> None:
    windows = list(months(datetime(2013, 11, 1, tzinfo=timezone.utc), 3))
    assert [str(window) for window in windows] == [
        "2013-11-01 to 2013-12-01",
        "2013-12-01 to 2014-01-01",
        "2014-01-01 to 2014-02-01",
    ]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(
        tmp_path, tmp_path / "home", model="flight_delay", key_column="k", time_column="t", port_base=None
    )


SCORES = [
    MonthScore(
        month=datetime(2013, month, 1),
        flights=flights,
        late_share=0.28,
        drift_share=drift,
        frozen_auc=frozen,
        loop_auc=loop,
        champions=champions,
        decision=decision,
        why=("5 of 15 columns drifted",),
    )
    for month, flights, drift, frozen, loop, champions, decision in (
        (4, 27_587, 0.4, 0.651, 0.651, ("1",), "drift: v2 promoted"),
        (5, 28_119, None, 0.724, 0.744, ("1", "2"), "champion kept"),
    )
]


def test_the_result_is_a_table_a_picture_and_json(site: Site) -> None:
    site.home.mkdir()
    console = Console(record=True, width=80)
    show_result(SCORES, site, console)
    shown = console.export_text()
    assert "27,587" in shown
    assert "v1 → v2" in shown
    assert "champion kept" in shown
    assert "Apr  5 of 15 columns drifted." in shown
    assert "the loop 0.6975, frozen 0.6875, a difference of +0.0100" in shown
    assert (site.home / "auc.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((site.home / "months.json").read_text())[1]["champions"] == ["1", "2"]
    assert "v2 promoted" in (site.home / "months.txt").read_text()


def test_the_addresses_come_with_the_login(site: Site) -> None:
    console = Console(record=True, width=140)
    show_addresses(site, console)
    shown = console.export_text()
    assert site.url("airflow") in shown
    assert f"user admin, password {site.password}" in shown


def test_the_end_of_an_airflow_task_log_is_shown_in_words(tmp_path: Path) -> None:
    log = tmp_path / "attempt=1.log"
    failed = {
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [{"exc_type": "DataRefused", "exc_value": "all 100 rows have a null label"}],
    }
    log.write_text(
        json.dumps({"level": "info", "event": "hello"}) + "\nplain text\n" + json.dumps(failed) + "\n"
    )
    assert last_lines(log).splitlines()[1:] == [
        "    [info] hello",
        "    plain text",
        "    [error] Task failed with exception DataRefused: all 100 rows have a null label",
    ]
