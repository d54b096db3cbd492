"""What a stage has counted, from counters that begin and end with their processes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from airflow_mlops.backends.kube.access import Access
from airflow_mlops.backends.kube.api import Forbidden, KubeApi, KubeRefused
from airflow_mlops.backends.kube.counting import PodSource
from airflow_mlops.backends.kube.counts import (
    Counts,
    ProcessCounts,
    StageCounts,
    process_counts,
    quantile,
    samples_of,
)
from airflow_mlops.backends.kube.settings import PodSettings
from airflow_mlops.gateway.metrics import GatewayMetrics

SINCE = datetime(2026, 1, 2, 3, tzinfo=timezone.utc)


def seen(pod: str, answered: float, version: str = "2", process: str = "1") -> ProcessCounts:
    return ProcessCounts(version, pod, f"{pod}/{process}", Counts(answered, 0, answered, 0))


def test_only_what_came_after_the_beginning_counts() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)])
    assert stage.arm("2").rows == 0
    assert stage.look([seen("a", 107)], ["a"]).arm("2").rows == 7


def test_a_pod_that_came_later_counts_from_nought() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)])
    assert stage.look([seen("a", 100), seen("b", 5)], ["a", "b"]).arm("2").rows == 5


def test_what_a_pod_had_counted_stays_when_it_is_gone() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)])
    stage = stage.look([seen("a", 110)], ["a"])
    stage = stage.look([seen("b", 3)], ["b"])
    assert stage.arm("2").rows == 13
    assert stage.look([seen("b", 4)], ["b"]).arm("2").rows == 14


def test_a_restart_in_the_same_pod_is_another_process() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)]).look([seen("a", 110)], ["a"])
    assert stage.look([seen("a", 4, process="2")], ["a"]).arm("2").rows == 14


def test_counters_that_went_back_are_a_restart_though_nobody_says_so() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)]).look([seen("a", 110)], ["a"])
    stage = stage.look([seen("a", 4)], ["a"])
    assert stage.arm("2").rows == 14


def test_a_pod_that_does_not_answer_keeps_what_it_was_seen_with() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)]).look([seen("a", 110)], ["a"])
    stage = stage.look([], ["a"])
    assert stage.arm("2").rows == 10
    assert stage.look([seen("a", 115)], ["a"]).arm("2").rows == 15


def test_it_survives_being_written_down() -> None:
    stage = StageCounts.begin(SINCE, [seen("a", 100)]).look([seen("b", 3)], ["b"])
    assert StageCounts.from_json(stage.to_json()) == stage


def test_a_page_of_metrics_is_read_as_the_server_writes_it() -> None:
    metrics = GatewayMetrics("flights")
    metrics.answered("2", "champion", 3, 0.004)
    metrics.failed("2", "champion", 2)
    for code in (200, 500, 422):
        metrics.request(code, 0.01)
    (one,) = (
        StageCounts.begin(SINCE, [])
        .look([process_counts("2", "a", samples_of(metrics.page().decode()))], ["a"])
        .seen.values()
    )
    arm = StageCounts(SINCE, {}, {"a": one}).arm("2")
    assert (arm.rows, arm.errors, arm.calls, arm.failed_calls) == (5, 2, 2, 1)
    assert sum(arm.latencies) == 1
    assert 0.0025 < arm.latency_p99_seconds <= 0.005
    assert not one.process.endswith("/")


def test_a_pod_that_has_gone_is_passed_over_and_a_missing_right_is_told() -> None:
    class Api(KubeApi):
        def ask_pod(self, namespace: str, pod: str, *_: Any, **__: Any) -> httpx.Response:
            if pod == "gone":
                raise KubeRefused(404, "NotFound", "it has gone")
            if pod == "closed":
                raise Forbidden("the API server forbids it")
            return httpx.Response(200, text='mlops_gateway_rows_total{version="2"} 3\n')

    api = Api(Access("https://k8s.test"))
    source = PodSource(api, PodSettings(model="flights", namespace="models", image="image:1"))
    pods = [{"metadata": {"name": name}} for name in ("gone", "up", "closed")]
    (found,) = source.read("2", pods[:2])
    assert (found.pod, found.counts.answered) == ("up", 3)
    with pytest.raises(Forbidden, match="forbids it"):
        source.read("2", pods)


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.5, None),
        ({"0.1": 0, "+Inf": 0}, 0.5, None),
        ({"0.1": 10, "0.2": 10, "+Inf": 10}, 0.5, 0.05),
        ({"0.1": 0, "0.2": 10, "+Inf": 10}, 0.99, 0.199),
        ({"0.1": 0, "+Inf": 10}, 0.5, 0.1),
    ],
)
def test_a_quantile_lies_on_the_line_through_its_bucket(buckets, share, expected) -> None:
    found = quantile(buckets, share)
    assert found == expected if expected is None else found == pytest.approx(expected)
