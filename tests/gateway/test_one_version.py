"""A server of one version, as a router puts one behind each of its weights."""

from __future__ import annotations

import os
import threading

import pytest

from airflow_mlops.exceptions import BackendUnavailable, ModelRefused
from airflow_mlops.gateway.server import serve
from airflow_mlops.gateway.settings import Settings


def test_it_serves_that_version_and_not_the_alias(start) -> None:
    gateway = start(version="2")
    gateway.wait_ready()
    assert gateway.ready()["champion"] == "2"
    (answer,) = gateway.predict({"temp": 1.0, "carrier": "AA"}).json()["predictions"]
    assert (answer["version"], answer["prediction"]) == ("2", 0.2)


def test_it_moves_no_traffic_and_smoke_tests(start) -> None:
    gateway = start(version="2")
    gateway.wait_ready()
    assert gateway.put("3", "canary", 0.5).status_code == 404
    assert gateway.post("promote", rollout_id="r", version="3").status_code == 404
    smoke = gateway.post("smoke", version="2", rows=[{"temp": 1.0, "carrier": "AA"}])
    assert smoke.json() == {"predictions": [0.2]}


def test_while_it_loads_it_asks_the_router_for_another_answer(start, shelf) -> None:
    shelf.may_load = threading.Event()
    gateway = start(version="2")
    refused = gateway.predict({"temp": 1.0, "carrier": "AA"})
    assert (refused.status_code, refused.headers["x-mlops-fall-back"]) == (503, "1")
    shelf.may_load.set()
    gateway.wait_ready()


def test_it_watches_its_memory_too(start, monkeypatch) -> None:
    gateway = start(version="2", max_memory_bytes=10**15, poll_seconds=0.01)
    gateway.wait_ready()
    assert gateway.ready()["problems"] == {}
    monkeypatch.setattr("airflow_mlops.gateway.memory.resident_bytes", lambda: 10**16)
    gateway.wait(lambda: "memory" in gateway.ready()["problems"])


def test_two_of_them_share_a_store(start) -> None:
    for version in ("1", "2"):
        start(version=version).wait_ready()


def test_a_log_that_others_write_to_is_left_open_unless_it_is_old(start, tmp_path) -> None:
    raw = tmp_path / "inference" / "flights" / "raw"
    raw.mkdir(parents=True)
    for name in ("fresh", "old"):
        (raw / f"{name}.open").write_bytes(b"")
    os.utime(raw / "old.open", (0, 0))
    start(version="2").wait_ready()
    assert {file.name for file in raw.iterdir()} == {"fresh.open", "old.log"}


def test_it_listens_to_everybody_without_a_token(tmp_path) -> None:
    Settings(model="flights", store=tmp_path, version="2", host="0.0.0.0")


def test_it_ends_with_the_reason_where_the_version_can_never_be_served(tmp_path, shelf) -> None:
    with pytest.raises(ModelRefused, match="there is no version 404"):
        serve(Settings(model="flights", store=tmp_path, version="404", port=0), shelf)


def test_it_waits_for_a_registry_that_is_away(start, shelf) -> None:
    back = threading.Event()
    load = shelf.load

    def sometimes(version: str):
        if not back.is_set():
            raise BackendUnavailable("MLflow is away")
        return load(version)

    shelf.load = sometimes
    gateway = start(version="2", poll_seconds=0.01)
    gateway.wait(lambda: gateway.ready()["problems"].get("champion") == "MLflow is away")
    back.set()
    gateway.wait_ready()
    assert gateway.ready()["problems"] == {}
