"""Steps in another Python: JSON over, secrets by environment, errors and signals back."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.exceptions import BackendUnavailable, ConfigError
from airflow_mlops.operators import GateOperator
from airflow_mlops.operators.other_python import OtherPython, StepFailed

ENDPOINTS = Endpoints(store="/data", tracking_token="s3cret")


@pytest.fixture
def python(tmp_path):
    """``python(body)``: a program in the place of a Python, which is called as one."""

    def make(body: str) -> str:
        path = tmp_path / "python"
        path.write_text(f"#!{sys.executable}\nimport json, os, sys\nargs = sys.argv[1:]\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        return str(path)

    return make


def test_the_result_comes_back_and_the_output_goes_to_the_log(python):
    lines = []
    program = python(
        "print('training', *args[:4], flush=True)\n"
        "asked = json.load(open(args[5]))\n"
        "told = json.loads(os.environ['AIRFLOW_MLOPS_ENDPOINTS'])\n"
        "assert told['tracking_token'] not in open(args[5]).read() + ' '.join(args)\n"
        "json.dump({'rows': asked['rows'] + 1, 'store': told['store']}, open(args[7], 'w'))"
    )
    result = OtherPython(program).run("train", {"rows": 1}, ENDPOINTS, lines.append)
    assert result == {"rows": 2, "store": "/data"}
    assert lines == ["training -m airflow_mlops step train"]


@pytest.mark.parametrize(("code", "error"), [(75, BackendUnavailable), (65, StepFailed)])
def test_an_error_over_there_keeps_its_message_and_whether_to_retry(python, code, error):
    said = '{"error": "X", "message": "the label is null", "retry": false}'
    program = python(f"print('{said}', file=sys.stderr); print('bye', file=sys.stderr); sys.exit({code})")
    with pytest.raises(error, match=r"^the label is null$"):
        OtherPython(program).run("train", {}, ENDPOINTS, print)


def test_a_crash_shows_the_last_lines_and_does_not_retry(python):
    program = python("raise MemoryError('too much')")
    with pytest.raises(StepFailed, match=r"step train ended with code 1 in (.|\n)*MemoryError: too much"):
        OtherPython(program).run("train", {}, ENDPOINTS, lambda line: None)


def test_a_process_that_was_killed_may_be_tried_again(python):
    program = python("os.kill(os.getpid(), 9)")
    with pytest.raises(BackendUnavailable, match="ended by signal 9"):
        OtherPython(program).run("train", {}, ENDPOINTS, print)


def test_a_python_that_is_not_there_is_a_mistake_in_the_yaml():
    with pytest.raises(ConfigError, match=r"compute\.python: /no/such/python cannot be started"):
        OtherPython("/no/such/python").run("train", {}, ENDPOINTS, print)


def test_a_step_gives_the_same_result_in_another_python(backends, config, make_context):
    elsewhere = config.model_copy(
        update={"compute": config.compute.model_copy(update={"python": sys.executable})}
    )
    roc_auc = {"value": 0.7, "low": 0.68, "high": 0.72}
    given = {
        "snapshot": {
            "dataset": {
                "uri": "file:///v.parquet",
                "version": "v",
                "rows": 900,
                "holdout_rows": 300,
                "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"},
                "holdout_start": "2026-02-19T00:00:00Z",
                "schema_hash": "s",
            }
        },
        "training": {"run_id": "run-2", "model_uri": "runs:/run-2/model"},
        "evaluation": {"rows": 300, "confidence": 0.95, "challenger": {"roc_auc": roc_auc}},
    }
    there = GateOperator(task_id="a", model=elsewhere, config_digest="d1", **given).execute(make_context())
    assert backends.asked == []
    here = GateOperator(task_id="b", model=config, config_digest="d1", **given).execute(make_context())
    assert there == here
    assert len(backends.entries()) == 1, "both wrote the same entry of the same run"


def test_killing_the_task_ends_the_step_and_its_children(python):
    program = python(
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    started, seen = threading.Event(), []

    def log(line):
        seen.append(line)
        started.set()

    other = OtherPython(program)
    failed = []

    def run():
        try:
            other.run("train", {}, ENDPOINTS, log)
        except BackendUnavailable as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    other.kill()
    thread.join(10)
    assert not thread.is_alive()
    assert "ended by signal 15" in str(failed[0])
    assert _gone(int(seen[0]))


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.01)
    return False
