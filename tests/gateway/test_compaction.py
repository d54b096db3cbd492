"""The server makes Parquet of its log by itself, in another process, and so does the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from airflow_mlops.cli.compact_log import command
from airflow_mlops.gateway.settings import LogLimits

ROW = {"temp": 20.5, "carrier": "AA"}


def parquet(gateway: Any) -> list[Path]:
    return sorted((gateway.settings.store / "inference" / "flights").glob("date=*/*.parquet"))


def test_a_server_compacts_what_it_has_closed(start: Any) -> None:
    gateway = start(log=LogLimits(append_seconds=0.02, segment_seconds=0.05, compact_seconds=0.1))
    gateway.wait_ready()
    gateway.predict(ROW, ROW)
    gateway.wait(lambda: parquet(gateway) != [])
    assert len(gateway.logged()) == 2
    assert gateway.ready()["problems"] == {}


def test_a_compaction_that_fails_is_a_problem_that_is_told_and_the_rows_stay(start: Any) -> None:
    limits = LogLimits(append_seconds=0.02, segment_seconds=0.05, compact_seconds=0.1, location="ftp://x")
    gateway = start(log=limits)
    gateway.wait_ready()
    gateway.predict(ROW)
    gateway.wait(lambda: "compaction" in gateway.ready()["problems"])
    assert "a URI that begins with s3://" in gateway.ready()["problems"]["compaction"]
    assert gateway.predict(ROW).status_code == 200
    assert len(gateway.logged()) == 2


def test_the_command_compacts_what_a_server_left(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[int] = []
    # Or all tests after this one would run at low priority.
    monkeypatch.setattr("os.nice", lowered.append)
    gateway.predict(ROW)
    gateway.stop()
    options = ["--model", "flights", "--store", str(gateway.settings.store)]
    result = CliRunner().invoke(command, options)
    assert "1 segments with 1 rows made Parquet" in result.output
    assert len(parquet(gateway)) == 1
    (gateway.settings.store / "inference" / "flights" / "raw" / "2026-01-01T0-bad.log").write_bytes(b"?")
    refused = CliRunner().invoke(command, options)
    assert refused.exit_code == 1
    assert "put aside" in refused.output
    assert lowered == [10, 10]
