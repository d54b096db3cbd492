"""How slow a challenger is, and whether that is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_mlops.core.analysis import LatencyLimits, StageLimits, judge_stage

LIMITS = StageLimits(minimum_requests=200)
TO_300_MS = replace(LIMITS, latency=LatencyLimits(objective=0.3))


def told(verdict: Any) -> str:
    return next(reason for reason in verdict.reasons if "latency" in reason)


def test_a_challenger_proven_slower_than_the_limit_fails(arm: Any, seen: Any) -> None:
    slow = arm("4", 1_000, latencies=[(0.1, 940), (0.4, 60)])
    verdict = judge_stage(seen(slow, arm("3", 9_000, latencies=[(0.1, 9_000)])), LIMITS)
    assert verdict.outcome == "fail"
    assert verdict.reasons == (
        "p99 latency 410 ms, 3.98 times the champion's 103 ms, above the limit 1.50 (beyond doubt)",
    )


def test_a_few_slow_calls_are_no_proof_and_hold_it_only_while_they_speak_against_it(
    arm: Any, seen: Any
) -> None:
    champion = arm("3", 9_000, latencies=[(0.1, 9_000)])
    few = judge_stage(seen(arm("4", 1_000, latencies=[(0.1, 988), (0.4, 12)]), champion), LIMITS)
    assert few.passed
    assert told(few).endswith(
        "the champion's 103 ms, above the limit 1.50, but so few calls that it may well be chance"
    )
    some = judge_stage(seen(arm("4", 1_000, latencies=[(0.1, 980), (0.4, 20)]), champion), LIMITS)
    assert some.outcome == "inconclusive"
    assert "likely above the limit 1.50, but not proven" in told(some)
    assert told(some).endswith("more rows like these would decide")


def test_another_quantile_may_be_judged(arm: Any, seen: Any) -> None:
    halves = replace(LIMITS, latency=LatencyLimits(quantile=0.5))
    slow = arm("4", 300, latencies=[(0.1, 100), (0.2, 200)])
    stage = seen(slow, arm("3", 2_700, latencies=[(0.1, 2_700)]))
    verdict = judge_stage(stage, halves)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("p50 latency 205 ms, 2.00 times the champion's 103 ms, above")


def test_ratios_of_tiny_latencies_are_not_judged(arm: Any, seen: Any) -> None:
    tiny = seen(arm("4", 500, latencies=[(0.04, 500)]), arm("3", 4_500, latencies=[(0.002, 4_500)]))
    verdict = judge_stage(tiny, LIMITS)
    assert verdict.passed
    assert told(verdict).endswith("the champion's 2.1 ms; within 50 ms, below which ratios are not judged")
    picky = replace(LIMITS, latency=LatencyLimits(negligible=0.01))
    assert judge_stage(tiny, picky).outcome == "fail"


def test_an_objective_holds_whatever_the_champion_s_latency(arm: Any, seen: Any) -> None:
    within = seen(arm("4", 1_000, latencies=[(0.2, 1_000)]))
    assert judge_stage(within, TO_300_MS).passed
    slow, champion = arm("4", 1_000, latencies=[(0.4, 1_000)]), arm("3", 9_000, latencies=[(0.4, 9_000)])
    verdict = judge_stage(seen(slow, champion), TO_300_MS)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith(
        "p99 latency 410 ms (the champion's is 410 ms: look at both), above the objective 300 ms"
    )


def test_a_target_s_own_histogram_is_judged_by_its_own_edges(arm: Any, seen: Any) -> None:
    edges = (0.1, 0.25, 0.5, 1.0)
    slow = replace(arm("4", 1_000), latencies=(0, 200, 700, 100, 0))
    champion = replace(arm("3", 9_000), latencies=(8_900, 95, 5, 0, 0))
    verdict = judge_stage(seen(slow, champion, edges=edges), LIMITS)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("p99 latency 707 ms, 4.47 times the champion's 158 ms")


def test_where_only_quantiles_are_told_they_are_compared_once_enough_calls_lie_beyond(
    arm: Any, seen: Any
) -> None:
    few = judge_stage(seen(arm("4", 200, p99=0.45), arm("3", 1_800, p99=0.1)), LIMITS)
    assert few.outcome == "inconclusive"
    assert told(few) == (
        "p99 latency 450 ms, 4.50 times the champion's 100 ms, above the limit 1.50, but on 200 calls, and "
        "1000 are needed in each arm"
    )
    many = judge_stage(seen(arm("4", 1_000, p99=0.45), arm("3", 9_000, p99=0.1)), LIMITS)
    assert many.outcome == "fail"
    assert judge_stage(seen(arm("4", 1_000, p99=0.12), arm("3", 9_000, p99=0.1)), LIMITS).passed
    assert judge_stage(seen(arm("4", 1_000, p99=0.31)), TO_300_MS).outcome == "fail"
    assert judge_stage(seen(arm("4", 1_000, p99=0.29)), TO_300_MS).passed


def test_a_quantile_that_the_target_does_not_tell_is_not_judged(arm: Any, seen: Any) -> None:
    tenths = replace(LIMITS, latency=LatencyLimits(quantile=0.9))
    verdict = judge_stage(seen(arm("4", 1_000, p99=9.0), arm("3", 9_000, p99=0.1)), tenths)
    assert verdict.passed
    assert told(verdict) == "p90 latency is not told by this target"


def test_latency_that_was_not_measured_or_has_no_champion_s_beside_it_is_said_to_be_so(
    arm: Any, seen: Any
) -> None:
    unmeasured = judge_stage(seen(arm("4", 200)), LIMITS)
    assert unmeasured.passed
    assert "latency was not measured" in unmeasured.reasons
    alone = judge_stage(seen(arm("4", 200, p99=9.0)), LIMITS)
    assert alone.passed
    assert told(alone) == "p99 latency 9000 ms; the champion's is not known, so it is not judged"


@pytest.mark.parametrize("seconds", [0.004, 0.0002])
def test_short_latencies_are_told_with_the_digits_that_count(seconds: float, arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 200, p99=seconds), arm("3", 1_800, p99=seconds)), LIMITS)
    assert told(verdict).startswith(f"p99 latency {1000 * seconds:g} ms, 1.00 times")
