"""Every query of the dashboard gives series on a real Prometheus that scrapes a real model server and the
exporter of a ledger in which everything has happened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from click.testing import CliRunner

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import connect
from airflow_mlops.backends.ledger_metrics import serve_metrics
from airflow_mlops.backends.ledger_reader import LedgerReader
from airflow_mlops.backends.prometheus import Prometheus
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.backends.store import LocalStore
from airflow_mlops.cli.dashboard import dashboard
from airflow_mlops.cli.main import main
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.windows import Window

ROW = {"flight": "f1", "departs": "2026-03-01T00:00:00Z", "temp": 1.0, "carrier": "UA"}
AS_GRAFANA_WOULD = {"$model": "flights", "$instance": ".*", "$__rate_interval": "5s"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.fixture
def everything(start: Callable[..., Any], shelf: Any, model: Any) -> Any:
    """A server that has answered, failed and not loaded, and a ledger with something of each kind."""
    shelf.models["2"] = model(0.2, broken_on="ZZ")
    server = start()
    server.wait_ready()
    assert server.put("99", "canary", 0.5).status_code == 422  # there is no such version
    assert server.put("2", "canary", 0.5).status_code == 200
    _fill_ledger(server.settings.store)
    _ask(server)
    return server


def _ask(server: Any) -> None:
    server.predict(*({**ROW, "flight": f"f{n}"} for n in range(20)))
    server.predict(*({**ROW, "flight": f"f{n}", "carrier": "ZZ"} for n in range(20)))


def _fill_ledger(store: Path) -> None:
    ledger, now = connect(Endpoints(store=str(store))).ledger, datetime.now(timezone.utc)
    window = Window(now - timedelta(days=1), now)
    looked = {
        "drifted": True,
        "decayed": True,
        "upstream_fault": None,
        "drift_share": 0.4,
        "coverage": 0.9,
        "expected_coverage": 0.8,
        "rows": 500,
        "metric": "roc_auc",
        "observed": 0.7,
        "promise": 0.8,
        "prediction_psi": 0.02,
        "estimated": {"method": "CBPE", "value": 0.75, "low": 0.7, "high": 0.8},
    }
    alerted = {"event": "drift", "severity": "warning", "to": "ops", "because": "new", "about": []}
    written: tuple[tuple[EntryKind, str, dict[str, Any]], ...] = (
        ("monitored", window.end.isoformat(), looked),
        ("retrain_requested", "a", {"cause": "drift"}),
        ("retrain_refused", "b", {"cause": "decay"}),
        ("gated", "run", {"outcome": "fail"}),
        ("registered", "1", {"role": "challenger"}),
        ("promoted", "1", {}),
        ("reversed", "1", {}),
        ("rollout_taken", "2", {"required": ["smoke"]}),
        ("alerted", "drift", alerted),
    )
    for kind, subject, data in written:
        ledger.append(
            Entry("flights", kind, subject, now, "flights.x", "r", version="1", window=window, data=data)
        )


@pytest.fixture
def prometheus(everything: Any, tmp_path: Path, port_base: int) -> Iterator[Prometheus]:
    """A Prometheus that scrapes both each second."""
    beside = Path(sys.executable).parent / "prometheus"
    program = str(beside) if beside.is_file() else shutil.which("prometheus")
    if program is None:
        pytest.skip("no Prometheus here: make prometheus gets one")
    exporter, _ = serve_metrics(LedgerReader(LocalStore(everything.settings.store)), host="127.0.0.1", port=0)
    targets = {"models": urlsplit(everything.url).netloc, "ledger": f"127.0.0.1:{exporter}"}
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [address]}]}
            for name, address in targets.items()
        ],
    }
    folder = tmp_path / "prometheus"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{port_base + 91}"
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*command, f"--web.listen-address={urlsplit(url).netloc}"], cwd=folder, stderr=log
        ) as process,
    ):
        try:
            _wait(lambda: _is_ready(url), folder / "log")
            yield Prometheus(PrometheusEndpoint(url))
        finally:
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


def _wait(done: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)


@pytest.mark.slow
def test_every_query_of_the_dashboard_gives_series(prometheus: Prometheus, everything: Any) -> None:
    left = {query: _as_asked(query) for query in queries()}
    until = time.monotonic() + 30
    while left and time.monotonic() < until:
        _ask(everything)
        left = {query: asked for query, asked in left.items() if not prometheus.samples(asked)}
        time.sleep(0.3)
    assert not left, f"no series: {list(left)}"


def _as_asked(query: str) -> str:
    for name, value in AS_GRAFANA_WOULD.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_every_metric_of_the_code_is_on_the_dashboard_or_of_no_use_there() -> None:
    from airflow_mlops.core.model_metrics import FAMILIES

    asked = " ".join(queries())
    left = {name for name in FAMILIES if f"mlops_{name}" not in asked}
    assert left == {
        "champion_version",  # champion_info says it in words
        "monitored_timestamp_seconds",
        "window_seconds",
        "rollout_since_timestamp_seconds",
    }


def test_the_command_prints_the_dashboard_that_is_kept_in_the_repository() -> None:
    printed = CliRunner().invoke(main, ["dashboard"]).output
    kept = Path(__file__).parents[2] / "docker" / "grafana" / "airflow-mlops.json"
    assert printed == kept.read_text(), "run: make docs"
    assert json.loads(printed)["uid"] == "airflow-mlops"


def test_panels_do_not_lie_on_each_other_and_have_numbers_of_their_own() -> None:
    shown = dashboard()["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown)
    places = [panel["gridPos"] for panel in shown]
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(place["x"] + place["w"] <= 24 for place in places)


def test_every_panel_asks_the_data_source_that_the_reader_chose() -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    names = {one["name"] for one in dashboard()["templating"]["list"]}
    assert names == {"datasource", "model", "instance"}
    for panel in panels():
        assert panel["datasource"] == source
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
        assert all(target["datasource"] == source for target in panel["targets"])
