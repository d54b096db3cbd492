"""What a step sends by Airflow's own metrics, taken off the wire of a local StatsD."""

from __future__ import annotations

import socket

import pytest
from airflow.sdk._shared.observability.metrics.otel_logger import SafeOtelLogger
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from airflow_mlops.operators.numbers import send_numbers

DRIFT = {"summary": {"share": 0.25, "drifted": True}}
REFUSED = {
    "decision": {"action": "refuse", "cause": "drift", "reasons": ["drift in W, but 7 of cool-down last"]}
}


@pytest.fixture
def wire(monkeypatch):
    """A UDP port that stands for StatsD, which Airflow is told to send to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listening.getsockname()[1]))
        yield listening
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)


def sent(wire: socket.socket, number: int) -> set[str]:
    return {wire.recv(1_000).decode() for _ in range(number)}


def begin() -> None:
    """What Airflow does at the start of a task's process."""
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)


def test_plain_statsd_drops_tags_so_the_model_is_part_of_the_name(wire):
    begin()
    send_numbers("churn", "drift", DRIFT)
    assert sent(wire, 2) == {
        "airflow.mlops.churn.drifted_columns_ratio:0.25|g",
        "airflow.mlops.churn.drifted:1.0|g",
    }
    send_numbers("churn", "decide", REFUSED)
    assert sent(wire, 1) == {"airflow.mlops.churn.retrains_refused.drift.cool-down:1|c"}


def test_where_tags_are_sent_the_model_is_one(wire, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    begin()
    send_numbers("churn", "decide", REFUSED)
    assert sent(wire, 1) == {"airflow.mlops.retrains_refused,model=churn,cause=drift,refusal=cool-down:1|c"}


def test_nothing_is_sent_where_airflow_sends_nothing(wire, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
    begin()
    send_numbers("churn", "drift", DRIFT)
    wire.settimeout(0.05)
    with pytest.raises(TimeoutError):
        wire.recv(1_000)


def test_opentelemetry_is_sent_the_same_with_tags(monkeypatch):
    reader = InMemoryMetricReader()
    logger = SafeOtelLogger(MeterProvider(metric_readers=[reader]), prefix="airflow")
    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    stats.initialize(factory=lambda: logger, export_legacy_names=False)
    send_numbers("churn", "drift", DRIFT)
    send_numbers("churn", "gate", {"outcome": "fail"})
    stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
    (resource,) = reader.get_metrics_data().resource_metrics
    points = {
        metric.name: (dict(point.attributes), point.value)
        for metric in resource.scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert points["airflow.mlops.drifted"] == ({"model": "churn"}, 1.0)
    assert points["airflow.mlops.challengers_gated"] == ({"model": "churn", "outcome": "fail"}, 1)
