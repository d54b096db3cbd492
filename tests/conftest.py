"""Shared by all tests: nothing may phone home, and heavy libraries stay single-threaded."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import settings

# The same examples in every run. `--hypothesis-profile=default` looks for others.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_MODEL_CATALOG_URI", "")
os.environ.setdefault("OMP_NUM_THREADS", "1")


# Those that wait for a whole Airflow for minutes are begun first, or one worker would be left with them.
LONGEST = ("demo/test_demo_run", "e2e/test_whole_loop", "schedules/test", "airflow/test_bundle_in_airflow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first; otherwise as they were collected."""
    place = {part: number for number, part in enumerate(LONGEST)}
    items.sort(key=lambda item: min((place[part] for part in LONGEST if part in item.nodeid), default=9))


@pytest.fixture(scope="session")
def port_base() -> int:
    """Where the ports of this worker's servers begin. Two workers that start an Airflow at one moment both
    find the usual ports free; these are apart, and below those that a system hands out."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return 21_000 + 100 * int(worker)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which of the two the Kubernetes tests ran on."""
    ran = [report for reports in terminalreporter.stats.values() for report in reports]
    if not any("kube" in getattr(report, "nodeid", "") for report in ran):
        return
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    which = f"a real API server from {assets}" if assets else "the stand-in (KUBEBUILDER_ASSETS is not set)"
    terminalreporter.write_line(f"Kubernetes tests ran on {which}")


class PrometheusStandIn:
    """Answers queries as Prometheus' HTTP API documents it. ``answers`` holds, by query, the value of one
    series, a list of ``(labels, value)``, or a status and a body; what is not in it gives no data.
    ``asked`` are the queries, ``headers`` those of the last one.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.url = ""

    def answer(self, query: str) -> tuple[int, Any]:
        found = self.answers.get(query, [])
        if isinstance(found, tuple):
            return found
        series = found if isinstance(found, list) else [({}, found)]
        result = [{"metric": labels, "value": [time.time(), str(value)]} for labels, value in series]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def prometheus_stand_in() -> Iterator[PrometheusStandIn]:
    """A server on loopback that answers what it is told to."""
    stand_in = PrometheusStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, form: str) -> None:
            (query,) = parse_qs(form)["query"]
            stand_in.asked.append(query)
            stand_in.headers = {name.lower(): value for name, value in self.headers.items()}
            code, body = stand_in.answer(query)
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield stand_in
        server.shutdown()
        thread.join()
