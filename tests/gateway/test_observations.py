"""The counters of a stage."""

from __future__ import annotations

import json
import random
from datetime import datetime, timezone

import pytest

from airflow_mlops.core.latencies import EDGES
from airflow_mlops.gateway.observations import Arm, Latencies, Stage, disagree


def test_quantiles_of_latency_are_within_three_percent() -> None:
    pick = random.Random(1)
    seconds = sorted(pick.lognormvariate(-6, 1) for _ in range(20_000))
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    for share in (0.01, 0.5, 0.99):
        assert latencies.quantile(share) == pytest.approx(seconds[int(share * 20_000) - 1], rel=0.031)


def test_the_shortest_and_the_longest_calls_are_counted_too() -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    latencies.add(0.0)
    assert latencies.quantile(0.99) == pytest.approx(1e-5, rel=0.05)
    latencies.add(1e6)
    assert latencies.quantile(0.99) == pytest.approx(100, rel=0.05)


def test_requests_that_were_predicted_together_are_one_latency() -> None:
    latencies = Latencies()
    for seconds in (0.002, 0.002, 0.002, 0.003, 0.002):
        latencies.add(seconds)
    assert sum(latencies.counts) == 3


def test_counts_of_other_buckets_are_refused() -> None:
    with pytest.raises(ValueError, match="3 counts are not those of 280 buckets"):
        Latencies([1, 2, 3])


def test_a_call_fails_or_answers_as_a_whole_whatever_its_rows() -> None:
    arm = Arm("1", "regression")
    arm.answered([1.0] * 100, 0.02)
    arm.answered([1.0], None)
    arm.failed(100)
    seen = arm.seen()
    assert (seen.rows, seen.errors, seen.calls, seen.failed_calls) == (201, 100, 3, 1)
    assert (len(seen.latencies), sum(seen.latencies)) == (len(EDGES) + 1, 1)
    assert seen.latency_p99_seconds == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize(("score", "place"), [(0.0, 0), (0.049, 0), (0.05, 1), (0.999, 19), (1.0, 19)])
def test_a_probability_falls_into_its_bin_of_twenty(score: float, place: int) -> None:
    arm = Arm("1", "binary_classification")
    arm.answered([score], 0.001)
    assert arm.seen().scores.index(1) == place
    assert sum(arm.seen().scores) == 1


def test_values_of_a_regression_have_a_mean_and_no_bins() -> None:
    arm = Arm("1", "regression")
    arm.answered([100.0, 300.0], 0.001)
    arm.failed(2)
    seen = arm.seen()
    assert (seen.rows, seen.errors, seen.mean_score, seen.scores) == (4, 2, 200.0, ())


@pytest.mark.parametrize(
    ("task", "champion", "challenger", "differ"),
    [
        ("binary_classification", 0.5, 0.69, False),
        ("binary_classification", 0.5, 0.71, True),
        ("multiclass_classification", 1.0, 1.0, False),
        ("multiclass_classification", 1.0, 2.0, True),
        ("regression", 100.0, 109.0, False),
        ("regression", 100.0, 112.0, True),
        ("regression", 0.0, 0.0, False),
        (None, 0.0, 0.1, True),
    ],
)
def test_what_counts_as_a_disagreement(
    task: object, champion: float, challenger: float, differ: bool
) -> None:
    assert disagree(champion, challenger, task) is differ  # type: ignore[arg-type]  # a literal, from a table


def test_counters_are_the_same_after_a_round_trip_through_json() -> None:
    stage = Stage("r", "shadow", 0.0, datetime.now(timezone.utc), Arm("1", "regression"), Arm("2"))
    stage.champion.answered([1.0, 2.0], 0.002)
    stage.challenger.failed(2)
    stage.compare([1.0, 2.0], [1.0, 5.0])
    again = Stage.from_json(json.loads(json.dumps(stage.to_json())))
    assert again == stage
    assert again.observation() == stage.observation()
    assert again.disagreements == 1
