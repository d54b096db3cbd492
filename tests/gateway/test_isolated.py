"""A process per version behind Envoy: what one that crashes, or never gets up, does to the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mlops.exceptions import BackendUnavailable
from airflow_mlops.gateway.isolated.envoy_config import KEY_HEADER, Split, clusters, routes
from airflow_mlops.gateway.isolated.forks import Forks
from airflow_mlops.gateway.isolated.versions import Versions
from airflow_mlops.gateway.server import serve, serve_in_thread
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


def answer(server: httpx.Client, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {KEY_HEADER: key}
    return server.post("/predict", json={"rows": [ROW]}, headers=headers)


def version_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    (one,) = response.json()["predictions"]
    return str(one["version"])


def move(server: httpx.Client, version: str, weight: float) -> httpx.Response:
    body = {"rollout_id": "r", "version": version, "mode": "canary", "weight": weight}
    return server.put("/admin/traffic", json=body)


def process_of(version: str) -> int:
    """The version's process that was started last, by the name that the control process, which is this one,
    gave it."""
    found = [one.pid for one in multiprocessing.active_children() if one.name == f"version-{version}"]
    assert found[-1] is not None
    return found[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings("flights", tmp_path_factory.mktemp("store"), isolated=True)
    # One client: to make one costs more than what most tests do with it.
    with serve_in_thread(settings, Deadly()) as url, httpx.Client(base_url=url, timeout=60) as found:
        until(lambda: found.get("/ready").status_code == 200)
        yield found


@pytest.mark.slow
def test_a_hundred_changes_of_weight_under_load_fail_no_request(server: httpx.Client) -> None:
    codes: list[int] = []
    done = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=server.base_url) as client:
            # Many requests in each change; without a breath it is the callers who take both cores.
            while not done.wait(0.003):
                codes.append(answer(client).status_code)

    callers = [threading.Thread(target=load) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(100):
            assert move(server, "2", (number % 11) / 10).status_code == 200
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert len(codes) > 200
    assert set(codes) == {200}


@pytest.mark.slow
def test_a_key_stays_with_the_challenger_as_its_share_grows(
    server: httpx.Client,
) -> None:
    keys = [f"customer {number}" for number in range(40)]
    taken = []
    for weight in (0.3, 0.3, 0.6):
        assert move(server, "2", weight).status_code == 200
        taken.append({key for key in keys if version_of(answer(server, key)) == "2"})
    assert taken[0] == taken[1]
    assert 0 < len(taken[0]) < len(taken[2]) < len(keys)
    assert taken[0] < taken[2]


@pytest.mark.slow
def test_a_challenger_that_crashes_costs_no_answer_and_is_started_again(
    server: httpx.Client,
) -> None:
    assert move(server, "2", 1.0).status_code == 200
    os.kill(process_of("2"), signal.SIGKILL)
    assert {version_of(answer(server)) for _ in range(5)} <= {"1", "2"}
    problems = until(lambda: server.get("/ready").json()["problems"])
    assert "signal 9" in problems["version 2"]
    assert server.get("/ready").json()["ready"]
    until(lambda: version_of(answer(server)) == "2")
    seen = server.get("/admin/observations/r").json()
    assert seen["disagreements"] is None
    assert seen["challenger"]["errors"] > 0


@pytest.mark.slow
def test_a_champion_that_crashes_is_not_ready_until_it_is_back(server: httpx.Client) -> None:
    os.kill(process_of("1"), signal.SIGKILL)
    told = until(lambda: (found := server.get("/ready")).status_code == 503 and found.json())
    assert "signal 9" in told["problems"]["version 1"]
    until(lambda: server.get("/ready").status_code == 200)
    assert answer(server).status_code == 200


@pytest.mark.slow
def test_a_version_that_dies_while_it_loads_is_refused_and_the_others_answer_on(server: httpx.Client) -> None:
    assert server.post("/admin/rollback", json={"rollout_id": "r"}).status_code == 200
    refused = move(server, "3", 0.5)
    assert refused.status_code == 422
    assert "signal 9" in refused.json()["detail"]
    assert {version_of(answer(server)) for _ in range(5)} == {"1"}


@pytest.mark.slow
def test_what_a_kill_leaves_is_removed_by_the_next_start(
    tmp_path: Path,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shelf = Path(__file__).parents[1] / "contracts" / "shelf.py"
    command = [sys.executable, str(shelf), "--model", "flights", "--store", str(tmp_path), "--isolated",
               "--tracking-uri", "http://nowhere.invalid", "--port", str(port)]  # fmt: skip
    # Not below tmp_path, which is too long for the name of a socket.
    with tempfile.TemporaryDirectory() as folder, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for end, left in ((signal.SIGKILL, 1), (signal.SIGTERM, 0)):
            with subprocess.Popen(command, env={**os.environ, "TMPDIR": folder}) as process:
                try:
                    until(lambda: _ready(client))
                    process.send_signal(end)
                    process.wait(30)
                finally:
                    process.kill()
            until(lambda: not _taken(port))
            assert len(list(Path(folder).glob("airflow-mlops-serve-*"))) == left


@pytest.mark.slow
def test_a_version_that_is_asked_for_again_is_not_ended(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        versions = Versions(Settings("flights", tmp_path), Shelf(), Path(folder), Forks(), serve)
        try:
            versions.load("2")
            assert versions.unused((), linger_seconds=0) == []
            assert versions.unused((), linger_seconds=0) == ["2"]
            versions.load("2")
            versions.end("2")
            assert versions.answers("2")
            versions.unused((), linger_seconds=0)
            versions.end("2")
            assert not versions.answers("2")
            with pytest.raises(BackendUnavailable, match="no process any more"):
                versions.take_part("2", {})
        finally:
            versions.stop()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").status_code == 200
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
