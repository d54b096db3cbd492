"""``airflow-mlops demo`` where it cannot or need not start anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from airflow_mlops.cli.demo.command import command, find_repository
from airflow_mlops.cli.demo.replay import stages

REPOSITORY = Path(__file__).resolve().parents[2]


def test_stop_says_that_nothing_was_running(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["--stop", "--home", str(tmp_path)])
    assert told.exit_code == 0
    assert told.output == "Stopped: nothing was running.\n"


def test_a_year_has_nine_months_after_march() -> None:
    told = CliRunner().invoke(command, ["--months", "10"])
    assert told.exit_code == 2
    assert "1<=x<=9" in told.output


def test_the_repository_is_found_from_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY / "tests" / "demo")
    assert find_repository() == REPOSITORY


def test_the_stages_are_start_first_champion_and_each_month() -> None:
    assert [stage.title for stage in stages(3)] == ["start", "first champion", "April", "May", "June"]
    assert sum(stage.seconds for stage in stages(3)) < 8 * 60
    assert sum(stage.seconds for stage in stages(9)) < 25 * 60
