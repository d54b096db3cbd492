"""The demo's programs are stopped whatever happens, and nobody else's ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_mlops.cli.demo.failures import DemoFailed
from airflow_mlops.cli.demo.processes import Processes, stop_recorded

# A program with a child in a process group of its own, as Airflow has some; it names the child on a line.
FAMILY = (
    "import os, subprocess, time;"
    "child = subprocess.Popen(['sleep', '300'], process_group=0);"
    "print(child.pid, flush=True);"
    "time.sleep(300)"
)


def start_family(processes: Processes, folder: Path) -> int:
    """Start one; the child's number."""
    log = folder / "family.log"
    processes.start("family", [sys.executable, "-c", FAMILY], env=dict(os.environ), log=log, folder=folder)
    deadline = time.monotonic() + 10
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(log.read_text())


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, in a session of its own."""
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_stopping_reaches_a_programs_children_in_other_process_groups(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "stack.json")
    child = start_family(processes, tmp_path)
    assert is_alive(child)
    processes.stop()
    assert not is_alive(child)
    assert not (tmp_path / "stack.json").exists()


def test_a_program_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "stack.json")
    try:
        broken = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
        processes.start("gateway", broken, env=dict(os.environ), log=tmp_path / "g.log", folder=tmp_path)
        pid = json.loads((tmp_path / "stack.json").read_text())[-1]["pid"]
        while is_alive(pid):
            time.sleep(0.01)
        with pytest.raises(DemoFailed, match=r"gateway ended with exit code 1(?s:.*)the port is taken"):
            processes.check()
    finally:
        processes.stop()


CRASHING_DEMO = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_processes import start_family
from airflow_mlops.cli.demo.processes import Processes
folder = Path(sys.argv[1])
print(start_family(Processes(folder / "stack.json"), folder), flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_demo_left_running_is_found_and_stopped(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    crashed = subprocess.run(
        [sys.executable, "-c", CRASHING_DEMO, str(tmp_path), here], capture_output=True, text=True
    )
    assert crashed.returncode == -9, crashed.stderr
    child = int(crashed.stdout)
    assert is_alive(child)
    assert stop_recorded(tmp_path / "stack.json") == ["family"]
    assert not is_alive(child)


def test_orphans_are_found_although_the_program_that_led_them_is_gone(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "stack.json")
    child = start_family(processes, tmp_path)
    leader = next(
        item for item in json.loads((tmp_path / "stack.json").read_text()) if item["name"] == "family"
    )
    os.kill(leader["pid"], 9)
    os.waitpid(leader["pid"], 0)
    assert is_alive(child)
    assert stop_recorded(tmp_path / "stack.json") == ["family"]
    assert not is_alive(child)


def test_a_number_that_now_belongs_to_somebody_else_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "stack.json"
    record.write_text(json.dumps([{"name": "mlflow", "pid": stranger.pid, "started": time.time() - 60}]))
    assert stop_recorded(record) == []
    assert is_alive(stranger.pid)


def test_a_second_demo_in_one_folder_is_refused_with_the_number_of_the_first(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "stack.json"
    started = psutil.Process(stranger.pid).create_time()
    record.write_text(json.dumps([{"name": "demo", "pid": stranger.pid, "started": started}]))
    with pytest.raises(DemoFailed, match=rf"process {stranger.pid}(?s:.*)demo --stop"):
        stop_recorded(record)
    assert is_alive(stranger.pid)


def test_a_record_cut_off_by_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    record = tmp_path / "stack.json"
    record.write_text('[{"name": "mlflow", "pi')
    assert stop_recorded(record) == []
    assert not record.exists()
