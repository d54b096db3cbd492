"""What the client makes of a Prometheus' answers: on a stand-in, and on the real program where it is."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mlops.backends.prometheus import Prometheus
from airflow_mlops.backends.prometheus_endpoint import PrometheusEndpoint
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, NotMeasured

AT = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
SERIES = [({"__name__": "orders_total", "version": version}, n) for version, n in (("1", 40), ("2", 60))]
ANSWERS: dict[str, Any] = {
    "sum(orders_total)": 100,
    "orders_total": SERIES,
    'orders_total{version="2"}': SERIES[1:],
    "sum(orders_total) / 0 - sum(orders_total) / 0": "NaN",
    "sum(orders_total) / 0": "+Inf",
    "scalar(sum(orders_total))": (
        200,
        {"status": "success", "data": {"resultType": "scalar", "result": [AT.timestamp(), "100"]}},
    ),
    "orders_total[1h]": (
        200,
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
    ),
    "sum(orders_total": (
        400,
        {"status": "error", "errorType": "bad_data", "error": "invalid parameter: parse error: unclosed"},
    ),
    "orders_total + on(job) orders_total": (
        422,
        {"status": "error", "errorType": "execution", "error": "found duplicate series for the match group"},
    ),
}


def binary(name: str) -> str | None:
    """Prometheus as ``make prometheus`` leaves it beside this Python, or wherever the system has it."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, port_base: int) -> Iterator[str]:
    """A Prometheus that scraped two series at noon."""
    prometheus, promtool = binary("prometheus"), binary("promtool")
    if prometheus is None or promtool is None:
        pytest.skip("no Prometheus here: make prometheus gets one")
    folder = tmp_path_factory.mktemp("prometheus")
    lines = [f'orders_total{{version="{one["version"]}"}} {n} {AT.timestamp():.0f}' for one, n in SERIES]
    (folder / "scraped.txt").write_text("\n".join(["# TYPE orders counter", *lines, "# EOF", ""]))
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", "scraped.txt", "data"]
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    url = f"http://127.0.0.1:{port_base + 90}"
    command = [
        prometheus,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stderr=log) as process:
        try:
            until = time.monotonic() + 20
            while not _is_ready(url):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(params=["stand-in", "real"])
def prometheus(request: pytest.FixtureRequest) -> Prometheus:
    if request.param == "real":
        return Prometheus(PrometheusEndpoint(request.getfixturevalue("real")))
    stand_in = request.getfixturevalue("prometheus_stand_in")
    stand_in.answers = ANSWERS
    return Prometheus(PrometheusEndpoint(stand_in.url))


def test_a_query_of_one_series_is_a_number(prometheus: Prometheus) -> None:
    assert prometheus.value("sum(orders_total)", AT) == 100.0
    assert prometheus.value('orders_total{version="2"}', AT) == 60.0
    assert prometheus.value("scalar(sum(orders_total))", AT) == 100.0


def test_a_query_of_many_series_tells_them_by_their_labels(prometheus: Prometheus) -> None:
    found = prometheus.samples("orders_total", AT)
    assert {sample.labels["version"]: sample.value for sample in found} == {"1": 40.0, "2": 60.0}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("returns_total", "gives no data: returns_total"),
        ("orders_total", r'gives 2 series \(\{__name__="orders_total", version="1"\}, .* not one number'),
        ("sum(orders_total) / 0 - sum(orders_total) / 0", "gives nan"),
        ("sum(orders_total) / 0", "gives inf"),
    ],
)
def test_what_is_not_one_number_is_not_measured(prometheus: Prometheus, query: str, reason: str) -> None:
    with pytest.raises(NotMeasured, match=reason):
        prometheus.value(query, AT)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("sum(orders_total", "cannot read the query .*parse error"),
        ("orders_total[1h]", "gives a matrix"),
    ],
)
def test_a_query_that_no_retry_can_help_is_a_mistake_of_the_file(
    prometheus: Prometheus, query: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        prometheus.value(query, AT)


def test_a_query_that_fails_on_the_data_may_be_asked_again(prometheus: Prometheus) -> None:
    with pytest.raises(BackendUnavailable, match=r"failed on the query \(execution: .*duplicate series"):
        prometheus.value("orders_total + on(job) orders_total", AT)


def test_a_query_too_long_for_an_address_is_asked_all_the_same(prometheus: Prometheus) -> None:
    long = f"vector(1) # {'x' * 5_000}"
    ANSWERS[long] = 1
    assert prometheus.value(long) == 1.0


def test_login_token_and_headers_go_with_the_query(prometheus_stand_in: Any) -> None:
    prometheus_stand_in.answers = {"up": 1}
    url = prometheus_stand_in.url
    Prometheus(PrometheusEndpoint(url, token="t0ken", headers={"X-Scope-OrgID": "shop"})).value("up")
    assert prometheus_stand_in.headers["authorization"] == "Bearer t0ken"
    assert prometheus_stand_in.headers["x-scope-orgid"] == "shop"
    Prometheus(PrometheusEndpoint(url, login="ada", password="s3cret")).value("up")
    assert prometheus_stand_in.headers["authorization"] == "Basic YWRhOnMzY3JldA=="
    assert "s3cret" not in repr(PrometheusEndpoint(url, login="ada", password="s3cret"))


def test_a_prometheus_that_is_away_says_where(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(BackendUnavailable, match=f"Prometheus at {url} does not answer"):
        Prometheus(PrometheusEndpoint(url)).value("up")
    missing = PrometheusEndpoint("https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"certificates of Prometheus cannot be read .*none\.pem"):
        Prometheus(missing).value("up")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, "Unauthorized"), r"refuses the caller \(401\)"),
        ((404, "404 page not found"), "is no Prometheus"),
        ((200, "<html>Grafana</html>"), "is no Prometheus"),
        ((200, {"status": "success"}), "is no Prometheus: its answer has no data"),
        ((502, "bad gateway"), "answered 502: bad gateway"),
    ],
)
def test_what_is_no_prometheus_or_refuses_is_named(
    prometheus_stand_in: Any, answer: tuple[int, Any], reason: str
) -> None:
    prometheus_stand_in.answers = {"up": answer}
    with pytest.raises(BackendUnavailable, match=reason):
        Prometheus(PrometheusEndpoint(prometheus_stand_in.url)).value("up")
