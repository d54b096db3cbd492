"""A gateway on a free port with models in memory, and what a test needs to steer it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mlops.backends.inference_log import ParquetInferenceLog
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.core.values import ColumnKind, TaskKind
from airflow_mlops.core.windows import Window
from airflow_mlops.exceptions import ModelRefused
from airflow_mlops.gateway.server import serve_in_thread
from airflow_mlops.gateway.settings import Settings

EVER = Window(datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc))
COLUMNS: dict[str, ColumnKind] = {"temp": "numeric", "carrier": "categorical"}


@dataclass
class FixedModel:
    """Answers every row with one number; raises on rows whose carrier is ``broken_on``."""

    answer: float
    columns: Mapping[str, ColumnKind] = field(default_factory=lambda: dict(COLUMNS))
    task: TaskKind = "binary_classification"
    broken_on: str | None = None
    go_on: threading.Event | None = None
    calls: list[int] = field(default_factory=list)

    def predict(self, features: Any) -> Any:
        import numpy as np

        self.calls.append(len(features))
        if self.go_on is not None:
            self.go_on.wait(10)
        if self.broken_on is not None and (features["carrier"] == self.broken_on).any():
            raise ValueError(f"no such carrier: {self.broken_on}")
        return np.full(len(features), self.answer)


@dataclass
class Shelf:
    """A registry in memory."""

    models: dict[str, Any] = field(default_factory=dict)
    champion: str | None = "1"
    may_load: threading.Event | None = None
    loads: list[str] = field(default_factory=list)

    def champion_version(self) -> str | None:
        return self.champion

    def load(self, version: str) -> Any:
        self.loads.append(version)
        if self.may_load is not None:
            self.may_load.wait(10)
        if version not in self.models:
            raise ModelRefused(f"there is no version {version}")
        return self.models[version]


class Running:
    """One gateway under test; ``restart`` ends it in order and starts another on the same store."""

    def __init__(self, store: Path, shelf: Shelf, **changes: Any) -> None:
        self.shelf = shelf
        self.settings = Settings(
            **{
                "model": "flights",
                "store": store,
                "key_column": "flight",
                "time_column": "departs",
                "poll_seconds": 30.0,
                **changes,
            }
        )
        self._open = ExitStack()
        self._start()

    def _start(self) -> None:
        self.url = self._open.enter_context(serve_in_thread(self.settings, self.shelf))
        headers = {"Authorization": f"Bearer {self.settings.token}"} if self.settings.token else {}
        self.http = self._open.enter_context(httpx.Client(base_url=self.url, headers=headers, timeout=20))

    def restart(self) -> None:
        self.stop()
        self._start()
        self.wait_ready()

    def stop(self) -> None:
        self._open.close()

    def wait_ready(self) -> None:
        self.wait(lambda: self.http.get("/ready").status_code == 200)

    def wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end, "it did not come about in 30 seconds"
            time.sleep(0.01)

    def predict(self, *rows: dict[str, Any], **options: Any) -> httpx.Response:
        return self.http.post("/predict", json={"rows": list(rows)}, **options)

    def put(self, version: str, mode: str, weight: float = 0.0, rollout: str | None = None) -> httpx.Response:
        body = {"rollout_id": rollout or f"r{version}", "version": version, "mode": mode, "weight": weight}
        return self.http.put("/admin/traffic", json=body)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/admin/{path}", json=body)

    def observed(self, rollout: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/admin/observations/{rollout}").json()
        return found

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/ready").json()
        return found

    def metric(self, line: str) -> float:
        """The value of the sample whose text begins with ``line``."""
        text = self.http.get("/metrics").text
        (found,) = [one for one in text.splitlines() if one.startswith(f"{line} ")]
        return float(found.rsplit(" ", 1)[1])

    def logged(self) -> Any:
        """The inference log as a frame, everything answered so far included, in the order of the answers."""
        assert self.post("flush").status_code == 200
        log = ParquetInferenceLog(LocalStore(self.settings.store)).read(self.settings.model, EVER)
        return log.sort_values("received_at", kind="stable", ignore_index=True)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf({"1": FixedModel(0.1), "2": FixedModel(0.2), "3": FixedModel(0.9)})


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that serves version 1, shared by a module's tests that leave no trace in it."""
    gateway = Running(tmp_path_factory.mktemp("store"), Shelf({"1": FixedModel(0.1)}))
    gateway.wait_ready()
    yield gateway
    gateway.stop()


@pytest.fixture
def model() -> type[FixedModel]:
    return FixedModel


@pytest.fixture(scope="session")
def stopping() -> Iterator[ThreadPoolExecutor]:
    """Ends gateways while the next test runs: an orderly end takes a fifth of a second."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def start(tmp_path: Path, shelf: Shelf, stopping: ThreadPoolExecutor) -> Iterator[Callable[..., Running]]:
    """Starts a gateway with these settings; it is not waited for."""
    running = []

    def start(**changes: Any) -> Running:
        running.append(Running(tmp_path, shelf, **changes))
        return running[-1]

    yield start
    for gateway in running:
        stopping.submit(gateway.stop)


@pytest.fixture
def gateway(start: Callable[..., Running]) -> Running:
    """A gateway that serves version 1."""
    running = start()
    running.wait_ready()
    return running
