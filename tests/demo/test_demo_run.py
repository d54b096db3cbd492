"""The demo itself: a real Airflow, MLflow and model server, and what is left of them afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.core.ledger import champion_at

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-c", "from airflow_mlops.cli.main import main; main()", "demo", "--no-keep-running"]
pytestmark = [pytest.mark.slow, pytest.mark.airflow]


def test_two_months_are_lived_through_and_nothing_is_left_running(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--months", "2", "--home", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "First champion serving: version 1" in done.stdout
    april, may = json.loads((tmp_path / "months.json").read_text())
    assert april["champions"] == ["1"]
    assert april["decision"].endswith("v2 promoted")
    assert may["champions"] == ["1", "2"]
    assert april["loop_auc"] == pytest.approx(april["frozen_auc"], abs=1e-9)
    assert may["loop_auc"] > may["frozen_auc"]
    assert (tmp_path / "auc.png").is_file()
    entries = connect(Endpoints(store=str(tmp_path / "state" / "store"))).ledger.entries("flight_delay")
    champion = champion_at(entries)
    assert champion is not None
    assert champion.version == "2"
    assert {"retrain_requested", "retrain_taken", "shadowed", "canary_step", "promoted"} <= {
        entry.kind for entry in entries
    }
    assert not running_below(tmp_path)


def test_ctrl_c_in_the_middle_stops_everything_and_the_next_demo_begins_anew(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--months", "1", "--home", str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.DEVNULL
    )
    record = tmp_path / "stack.json"
    deadline = time.monotonic() + 120
    while not (record.is_file() and "gateway" in record.read_text()):
        assert time.monotonic() < deadline
        assert demo.poll() is None
        time.sleep(0.1)
    assert running_below(tmp_path)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=60) == 128 + signal.SIGINT
    assert not running_below(tmp_path)
    assert not record.exists()


def running_below(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder or below."""
    found = []
    for process in psutil.process_iter():
        try:
            below = Path(process.cwd()).is_relative_to(folder)
        except (psutil.Error, OSError):
            continue
        if below and process.pid != os.getpid():
            found.append(" ".join(process.cmdline()))
    return found
