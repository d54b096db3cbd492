"""``airflow-mlops history``: who was champion when, and why, from a real ledger."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.cli.main import main
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window


def moment(month: int, day: int = 1) -> datetime:
    return datetime(2013, month, day, 12, tzinfo=timezone.utc)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["history", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    ledger = connect(Endpoints(store=str(tmp_path))).ledger
    for version, month in (("1", 3), ("2", 6)):
        facts = {"model": "wine", "subject": version, "dag_id": "wine.deploy", "run_id": f"r{version}"}
        window = Window(moment(1), moment(month))
        ledger.append(
            Entry(
                **facts,
                kind="registered",
                at=moment(month),
                version=version,
                window=window,
                data_version="d" * 64,
            )
        )
        ledger.append(
            Entry(
                **facts,
                kind="promoted",
                at=moment(month, 2),
                version=version,
                actor="ada",
                reasons=(f"log_loss of version {version} is [no] worse",),
                window=window,
            )
        )
    return tmp_path


@pytest.mark.parametrize(
    ("at", "version"), [("2013-05-01", "1"), ("2013-06-02T12:00Z", "2"), ("2030-01-01", "2")]
)
def test_it_says_which_version_was_champion_at_a_moment_and_why(store: Path, at: str, version: str) -> None:
    result = run("wine", "--store", store, "--at", at)
    assert result.exit_code == 0
    assert result.output.startswith(f"wine version {version}, champion since 2013-")
    assert "(by ada)" in result.output
    assert f"because log_loss of version {version} is [no] worse" in result.output


def test_before_the_first_promotion_there_was_no_champion(store: Path) -> None:
    result = run("wine", "--store", store, "--at", "2013-03-01")
    assert result.exit_code == 0
    assert result.output == "wine had no champion at 2013-03-01\n"


def test_it_shows_all_decisions_oldest_first_with_reasons_as_written(store: Path) -> None:
    output = run("wine", "--store", store).output
    assert "wine: champion is version 2" in output
    assert (
        output.index("2013-03-01 12:00:00") < output.index("2013-03-02 12:00:00") < output.index("2013-06-01")
    )
    assert "log_loss of version 1 is [no] worse" in output
    assert "d" * 12 in output


def test_json_holds_whole_entries_with_their_ids(store: Path) -> None:
    entries = json.loads(run("wine", "--store", store, "--json").output)
    assert [entry["kind"] for entry in entries] == ["registered", "promoted", "registered", "promoted"]
    assert entries[0]["window"] == {"start": "2013-01-01T12:00:00Z", "end": "2013-03-01T12:00:00Z"}
    assert entries[0]["id"].startswith("registered-")


def test_a_model_that_the_ledger_does_not_know_is_named(store: Path) -> None:
    result = run("cider", "--store", store)
    assert result.exit_code == 1
    assert "knows no model 'cider'; check --store and the name" in result.output


def test_a_moment_that_is_none_is_a_wrong_call(store: Path) -> None:
    result = run("wine", "--store", store, "--at", "yesterday")
    assert result.exit_code == 2
    assert "'yesterday' is not a moment such as 2013-09-01" in result.output
