"""The process as a whole: what it refuses to start with, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.cli.serve import command
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import ConfigError
from airflow_mlops.gateway.server import serve, serve_in_thread
from airflow_mlops.gateway.settings import Settings

PROGRAM = """
import os, sys, time
from pathlib import Path
from airflow_mlops.gateway.server import serve
from airflow_mlops.gateway.settings import Settings

class Slow:
    columns = {"temp": "numeric"}
    task = "regression"
    def predict(self, features):
        if features["temp"].max() > 0:
            time.sleep(0.5)
        return features["temp"].to_numpy()

class Loader:
    def champion_version(self):
        return "1"
    def load(self, version):
        print("OMP_NUM_THREADS", os.environ["OMP_NUM_THREADS"], "numpy" in sys.modules, flush=True)
        return Slow()

serve(Settings(model="m", store=Path(sys.argv[1]), port=int(sys.argv[2])), Loader())
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[Any, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), str(port)]
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        url = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + 20
            while True:
                try:
                    if httpx.get(f"{url}/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.02)
                assert time.monotonic() < end
            yield running, url
        finally:
            running.kill()


def test_sigterm_finishes_the_requests_under_way_and_writes_the_log(
    process: tuple[Any, str], tmp_path: Path
) -> None:
    running, url = process
    answers: list[httpx.Response] = []
    body = {"rows": [{"temp": 1.0}, {"temp": 2.0}]}
    caller = threading.Thread(target=lambda: answers.append(httpx.post(f"{url}/predict", json=body)))
    caller.start()
    while "mlops_gateway_requests_in_flight 1.0" not in httpx.get(f"{url}/metrics").text:
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    caller.join()
    assert [row["prediction"] for row in answers[0].json()["predictions"]] == [1.0, 2.0]
    assert running.wait(20) in (0, -signal.SIGTERM)
    ever = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
    log = ParquetInferenceLog(LocalStore(tmp_path)).read("m", ever)
    assert log["prediction"].tolist() == [1.0, 2.0]
    assert [file.suffix for file in (tmp_path / "inference" / "m" / "raw").glob("2*")] == [".log"]
    assert json.loads((tmp_path / "traffic" / "m.json").read_text())["champion"] == "1"
    assert running.stdout.read().decode().startswith("OMP_NUM_THREADS 1 False")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.5", "gateway.example"])
def test_an_address_beyond_loopback_needs_a_token(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without a token"):
        Settings(model="m", store=tmp_path, host=host)
    assert Settings(model="m", store=tmp_path, host=host, token="t").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_loopback_needs_none(host: str, tmp_path: Path) -> None:
    assert Settings(model="m", store=tmp_path, host=host).token is None


def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="token is empty"):
        Settings(model="m", store=tmp_path, host="0.0.0.0", token="")


@pytest.mark.parametrize("token", ["s\u00e9cret", "two words", "line\n"])
def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConfigError, match="visible ASCII"):
        Settings(model="m", store=tmp_path, token=token)


@pytest.mark.parametrize("name", ["", "../m", "a/b", ".hidden"])
def test_a_model_name_that_would_leave_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a model name"):
        Settings(model=name, store=tmp_path)


def test_secrets_are_not_in_the_settings_text(tmp_path: Path) -> None:
    settings = Settings(model="m", store=tmp_path, token="hush-1", tracking_token="hush-2")
    assert "hush" not in repr(settings)


def test_a_gateway_without_a_registry_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tracking-uri"):
        serve(Settings(model="m", store=tmp_path))


def test_a_traffic_state_that_cannot_be_read_stops_the_start_and_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "traffic").mkdir()
    (tmp_path / "traffic" / "m.json").write_text('{"champion": 3')
    with pytest.raises(ConfigError, match=r"m\.json cannot be read.*delete it"):
        serve(Settings(model="m", store=tmp_path, tracking_uri="http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "state", ['{"champion": "1", "challenger": "2", "mode": "canary", "weight": 0.5}', '{"weight": 7}', ""]
)
def test_a_traffic_state_that_makes_no_sense_stops_the_start(tmp_path: Path, state: str) -> None:
    (tmp_path / "traffic").mkdir()
    (tmp_path / "traffic" / "m.json").write_text(state)
    with pytest.raises(ConfigError, match=r"m\.json cannot be read.*delete it"):
        serve(Settings(model="m", store=tmp_path, tracking_uri="http://127.0.0.1:9"))


def test_a_second_gateway_of_a_model_on_one_store_is_refused_until_the_first_has_ended(
    gateway: Any, shelf: Any
) -> None:
    with pytest.raises(ConfigError, match=r"Another gateway serves flights .* end it first"):
        serve(gateway.settings, shelf)
    assert gateway.http.get("/ready").status_code == 200
    gateway.restart()


def test_gateways_of_two_models_share_a_store(gateway: Any, shelf: Any) -> None:
    with serve_in_thread(replace(gateway.settings, model="trains"), shelf) as url:
        assert httpx.get(f"{url}/health").json()["model"] == "trains"


def test_the_command_tells_a_refusal_in_one_line(tmp_path: Path) -> None:
    arguments = ["--model", "m", "--tracking-uri", "http://x", "--store", str(tmp_path), "--host", "0.0.0.0"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: The gateway will not listen on 0.0.0.0 without a token")
