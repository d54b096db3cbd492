"""A process per version behind Envoy: what one that crashes, or never gets up, does to the others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mlops.gateway.isolated.envoy_config import KEY_HEADER, Split, clusters, routes
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings

from ..contracts.shelf import Shelf

ROW = {"temp": 1.0, "carrier": "AA"}


class Deadly(Shelf):
    """A registry whose version 3 ends the process that loads it."""

    def load(self, version: str) -> Any:
        if version == "3":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load(version)


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def answer(url: str, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {KEY_HEADER: key}
    return httpx.post(f"{url}/predict", json={"rows": [ROW]}, headers=headers)


def version_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    (one,) = response.json()["predictions"]
    return str(one["version"])


def move(url: str, version: str, weight: float, mode: str = "canary") -> httpx.Response:
    body = {"rollout_id": "r", "version": version, "mode": mode, "weight": weight}
    return httpx.put(f"{url}/admin/traffic", json=body, timeout=60)


def process_of(version: str) -> int:
    """The version's process, which has its socket open; found by who the kernel says answers there."""
    import multiprocessing

    found = [one.pid for one in multiprocessing.active_children() if one.name == f"version-{version}"]
    assert found[-1] is not None
    return found[-1]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings("flights", tmp_path_factory.mktemp("store"), isolated=True)
    with serve_in_thread(settings, Deadly()) as found:
        until(lambda: httpx.get(f"{found}/ready").status_code == 200)
        yield found


@pytest.mark.slow
def test_a_hundred_changes_of_weight_under_load_fail_no_request(url: str) -> None:
    codes: list[int] = []
    done = threading.Event()

    def load() -> None:
        with httpx.Client() as client:
            while not done.is_set():
                codes.append(client.post(f"{url}/predict", json={"rows": [ROW]}).status_code)

    callers = [threading.Thread(target=load) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(100):
            assert move(url, "2", (number % 11) / 10).status_code == 200
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert len(codes) > 100
    assert set(codes) == {200}


@pytest.mark.slow
def test_a_key_keeps_its_version_and_stays_with_the_challenger_as_its_share_grows(url: str) -> None:
    keys = [f"customer {number}" for number in range(40)]
    taken = []
    for weight in (0.3, 0.3, 0.6):
        assert move(url, "2", weight).status_code == 200
        taken.append({key for key in keys if version_of(answer(url, key)) == "2"})
    assert taken[0] == taken[1]
    assert 0 < len(taken[0]) < len(taken[2]) < len(keys)
    assert taken[0] < taken[2]


@pytest.mark.slow
def test_a_challenger_that_crashes_costs_no_answer_and_is_told_and_started_again(url: str) -> None:
    assert move(url, "2", 1.0).status_code == 200
    os.kill(process_of("2"), signal.SIGKILL)
    assert {version_of(answer(url)) for _ in range(5)} <= {"1", "2"}
    problems = until(lambda: httpx.get(f"{url}/ready").json()["problems"])
    assert "signal 9" in problems["version 2"]
    assert httpx.get(f"{url}/ready").json()["ready"]
    until(lambda: version_of(answer(url)) == "2")
    seen = httpx.get(f"{url}/admin/observations/r").json()
    assert seen["disagreements"] is None
    assert seen["challenger"]["errors"] > 0


@pytest.mark.slow
def test_a_champion_that_crashes_is_not_ready_until_it_is_back(url: str) -> None:
    os.kill(process_of("1"), signal.SIGKILL)
    told = until(lambda: (found := httpx.get(f"{url}/ready")).status_code == 503 and found.json())
    assert "signal 9" in told["problems"]["version 1"]
    until(lambda: httpx.get(f"{url}/ready").status_code == 200)
    assert answer(url).status_code == 200


@pytest.mark.slow
def test_a_version_that_dies_while_it_loads_is_refused_and_the_others_answer_on(url: str) -> None:
    assert httpx.post(f"{url}/admin/rollback", json={"rollout_id": "r"}).status_code == 200
    refused = move(url, "3", 0.5)
    assert refused.status_code == 422
    assert "signal 9" in refused.json()["detail"]
    assert {version_of(answer(url)) for _ in range(5)} == {"1"}


@pytest.mark.slow
def test_a_kill_leaves_nothing_that_keeps_the_port(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shelf = Path(__file__).parents[1] / "contracts" / "shelf.py"
    command = [sys.executable, str(shelf), "--model", "flights", "--store", str(tmp_path), "--isolated",
               "--tracking-uri", "http://nowhere.invalid", "--port", str(port)]  # fmt: skip
    for end in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(command) as process:
            try:
                until(lambda: _ready(port))
                process.send_signal(end)
                process.wait(30)
            finally:
                process.kill()
        until(lambda: not _taken(port))


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200
    except httpx.HTTPError:
        return False


def _taken(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_a_shadow_gets_a_copy_and_a_canary_its_share_and_the_champion_what_it_fails_on(
    tmp_path: Path,
) -> None:
    addresses = {"v1": tmp_path / "1", "v2": tmp_path / "2"}

    def route(split: Split) -> dict[str, Any]:
        found: dict[str, Any] = routes("1", addresses, split)["resources"][0]["virtual_hosts"][0]
        return found["routes"][0]["route"]  # type: ignore[no-any-return]

    shadow = route(Split("v1", "v2", "shadow", 0.0, "r"))
    assert (shadow["cluster"], shadow["request_mirror_policies"]) == ("v1", [{"cluster": "v2"}])
    canary = Split("v1", "v2", "canary", 0.25, "r")
    assert [one["weight"] for one in route(canary)["weighted_clusters"]["clusters"]] == [250_000, 750_000]
    last = clusters("1", addresses, canary, max_requests=10)["resources"][-1]
    assert last["cluster_type"]["typed_config"]["clusters"] == ["v2", "v1"]
    assert route(Split())["cluster"] == "control"
