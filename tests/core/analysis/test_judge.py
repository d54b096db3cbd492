"""What one look at a stage of a rollout says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest

from airflow_mlops.core.analysis import ErrorLimits, LatencyLimits, StageLimits, judge_stage
from airflow_mlops.core.values import Verdict
from airflow_mlops.core.windows import Period

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
LIMITS = StageLimits(minimum_requests=200, max_disagreement=0.5)
LONG = replace(LIMITS, minimum_duration=Period.parse("24 hours"))


def test_a_stage_without_enough_rows_is_held_and_the_reason_counts_those_that_are_needed(
    arm: Any, seen: Any
) -> None:
    verdict = judge_stage(seen(arm("4", 142)), LIMITS)
    assert verdict == Verdict("inconclusive", ("142 of 200 rows, 58 more are needed",))


def test_a_stage_that_saw_nothing_is_held(arm: Any, seen: Any) -> None:
    nothing = Verdict("inconclusive", ("0 of 200 rows, 200 more are needed",))
    assert judge_stage(seen(None), LIMITS) == nothing
    assert judge_stage(seen(arm("4", 0)), LIMITS) == nothing


def test_a_healthy_challenger_passes_and_each_check_gives_its_numbers(arm: Any, seen: Any) -> None:
    challenger = arm("4", 1_000, errors=3, latencies=[(0.1, 950), (0.3, 47)])
    champion = arm("3", 9_000, errors=30, latencies=[(0.1, 8_600), (0.3, 370)])
    assert judge_stage(seen(challenger, champion), LIMITS) == Verdict(
        "pass",
        (
            "3 of 1000 rows failed (0.3 %), within the limit 1 %",
            "the champion: 30 of 9000 rows failed (0.333 %); nothing speaks for more of the challenger's",
            "p99 latency 307 ms, 1.00 times the champion's 307 ms, within the limit 1.50",
            "10 % of the rows went to the challenger, 10 % was asked for",
        ),
    )


def test_clear_harm_is_called_before_the_minimum_of_rows(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 20, errors=8)), LIMITS)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("8 of 20 rows failed (40 %), above the limit 1 % (")


def test_all_that_is_proven_is_told_and_nothing_else(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 900, errors=450, latencies=[(0.1, 450)]), arm("3", 900)), LIMITS)
    assert verdict.outcome == "fail"
    assert [reason.split(":")[0] for reason in verdict.reasons] == [
        "50 % of the rows went to the challenger, 10 % was asked for",
        "450 of 900 rows failed (50 %), above the limit 1 % (beyond doubt)",
        "450 of 900 rows failed (50 %), the champion",
    ]


def test_a_slow_canary_does_not_wait_for_the_time_but_a_slow_shadow_does(arm: Any, seen: Any) -> None:
    slow, quick = arm("4", 500, latencies=[(0.4, 500)]), arm("3", 4_500, latencies=[(0.1, 4_500)])
    canary = judge_stage(seen(slow, quick), LONG, now=NOW)
    assert canary.outcome == "fail"
    assert "above the limit 1.50" in canary.reasons[0]
    slow = arm("4", 2_000, latencies=[(0.4, 2_000)])
    shadow = seen(slow, arm("3", 2_000, latencies=[(0.1, 2_000)]), mode="shadow")
    assert judge_stage(shadow, LONG, now=NOW).outcome == "inconclusive"
    assert judge_stage(shadow, LONG, now=NOW + timedelta(days=1)).outcome == "fail"


def test_an_endpoint_in_another_stage_fails_the_stage_and_says_where_it_is(arm: Any, seen: Any) -> None:
    good = seen(arm("4", 500))
    assert judge_stage(good, LIMITS, mode="canary", weight=0.1).passed
    for wrong in (
        judge_stage(good, LIMITS, mode="shadow", weight=0.0),
        judge_stage(good, LIMITS, mode="canary", weight=0.5),
        judge_stage(seen(arm("4", 500), mode="none"), LIMITS),
    ):
        assert wrong.outcome == "fail"
        assert wrong.reasons[0].endswith("somebody else moved the traffic")


@pytest.mark.parametrize("passed", [timedelta(0), timedelta(hours=23, minutes=59, seconds=59.9)])
def test_a_stage_is_held_until_it_has_lasted_its_time_however_busy_it_was(
    passed: timedelta, arm: Any, seen: Any
) -> None:
    verdict = judge_stage(seen(arm("4", 9_000), mode="shadow"), LONG, now=NOW + passed)
    assert verdict.outcome == "inconclusive"
    told = {0: "0:00:00"}.get(int(passed.total_seconds()), "23:59:59")
    assert verdict.reasons[0] == f"open for {told} (h:mm:ss) of at least 1 day"


def test_a_stage_that_has_lasted_its_time_is_judged(arm: Any, seen: Any) -> None:
    healthy = seen(arm("4", 9_000), mode="shadow")
    assert judge_stage(healthy, LONG, now=NOW + timedelta(hours=24)).passed
    differing = seen(arm("4", 9_000), mode="shadow", disagreements=9_000)
    assert judge_stage(differing, LONG, now=NOW + timedelta(hours=1)).outcome == "inconclusive"
    assert judge_stage(differing, LONG, now=NOW + timedelta(hours=24)).outcome == "fail"


def test_a_shadow_whose_answers_the_target_does_not_see_is_judged_without_them_and_the_reasons_say_so(
    arm: Any, seen: Any
) -> None:
    verdict = judge_stage(seen(arm("4", 9_000), mode="shadow", disagreements=None), LIMITS)
    assert verdict.passed
    assert "answers were not compared: the target does not see the shadow's" in verdict.reasons


def test_proven_errors_do_not_wait_for_the_time_and_no_time_has_passed_by_a_clock_that_is_behind(
    arm: Any, seen: Any
) -> None:
    assert judge_stage(seen(arm("4", 300, errors=90)), LONG, now=NOW).outcome == "fail"
    behind = judge_stage(seen(arm("4", 9_000)), LONG, now=NOW - timedelta(days=3))
    assert behind == judge_stage(seen(arm("4", 9_000)), LONG)
    assert behind.outcome == "inconclusive"


def test_impossible_limits_are_refused() -> None:
    for changes, told in (
        ({"minimum_requests": 0}, "at least one row"),
        ({"false_alarm_rate": 0.0}, "chance between"),
        ({"stages": 0}, "0 stages"),
    ):
        with pytest.raises(ValueError, match=told):
            replace(LIMITS, **changes)
    for limits, told in (
        (lambda: ErrorLimits(max_rate=1.5), "share of the calls"),
        (lambda: ErrorLimits(max_ratio=0.5), "fewer errors"),
        (lambda: LatencyLimits(quantile=1.0), "between 0 and 1"),
        (lambda: LatencyLimits(max_ratio=0.9), "faster challenger"),
        (lambda: LatencyLimits(objective=0.0), "no call takes"),
    ):
        with pytest.raises(ValueError, match=told):
            limits()


def test_the_false_alarms_are_shared_by_the_checks_and_by_the_stages_of_those_that_begin_anew() -> None:
    everything = StageLimits(
        1, latency=LatencyLimits(objective=0.2), max_disagreement=0.1, stages=3, other_checks=1
    )
    assert everything.checks == 7
    assert everything.needed == pytest.approx(7 / 0.05)
    assert everything.needed_in_a_stage == pytest.approx(3 * 7 / 0.05)
    least = StageLimits(1, split_tolerance=None, false_alarm_rate=0.03)
    assert (least.checks, least.alpha) == (3, pytest.approx(0.01))


def looks(rate: float, arm: Any, seen: Any, random: Random) -> str:
    """The first final verdict of a challenger with this error rate in 60 looks, 50 rows apart; the champion
    fails on 1 %."""
    patient = replace(LIMITS, minimum_requests=3_000)
    ours = theirs = 0
    for look in range(1, 61):
        ours += sum(random.random() < rate for _ in range(50))
        theirs += sum(random.random() < 0.01 for _ in range(50))
        challenger, champion = arm("4", 50 * look, ours), arm("3", 50 * look, theirs)
        verdict = judge_stage(seen(challenger, champion, mode="shadow"), patient)
        if verdict.outcome == "fail":
            return "fail"
    return verdict.outcome


def test_sixty_looks_at_a_harmless_challenger_rarely_fail_it(arm: Any, seen: Any) -> None:
    random = Random(20260301)
    assert sum(looks(0.01, arm, seen, random) == "fail" for _ in range(100)) <= 5


def test_sixty_looks_at_a_harmful_challenger_nearly_always_fail_it(arm: Any, seen: Any) -> None:
    random = Random(20260302)
    assert sum(looks(0.03, arm, seen, random) == "fail" for _ in range(50)) >= 48
