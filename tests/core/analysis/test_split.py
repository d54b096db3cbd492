"""The share of the rows that the challenger gets, and the rows on which a shadow answers otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_mlops.core.analysis import StageLimits, judge_stage
from airflow_mlops.core.values import Verdict

LIMITS = StageLimits(minimum_requests=200, max_disagreement=0.5)


def test_a_wrong_split_is_the_routing_s_fault_and_nothing_is_promoted_on_it(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 120), arm("3", 120)), LIMITS)
    assert verdict.outcome == "fail"
    assert verdict.reasons == (
        "50 % of the rows went to the challenger, 10 % was asked for: outside of 5 % to 15 % (beyond doubt). "
        "The routing is at fault; what this stage counted is not of the callers that were meant, so look at "
        "the target's weights before the next rollout",
    )


def test_a_split_that_is_off_within_the_tolerance_is_the_keys(arm: Any, seen: Any) -> None:
    skewed = seen(arm("4", 14_000), arm("3", 86_000))
    assert judge_stage(skewed, LIMITS).passed
    strict = replace(LIMITS, split_tolerance=0.1)
    assert judge_stage(skewed, strict).outcome == "fail"
    assert judge_stage(skewed, replace(LIMITS, split_tolerance=None)).passed


def test_a_split_that_is_likely_wrong_is_held(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 203), arm("3", 850)), LIMITS)
    assert verdict.outcome == "inconclusive"
    assert "likely outside of 5 % to 15 %, but not proven" in verdict.reasons[0]


def test_a_challenger_that_should_get_everything_may_not_get_half(arm: Any, seen: Any) -> None:
    assert judge_stage(seen(arm("4", 1_000), arm("3", 5), weight=1.0), LIMITS).passed
    assert judge_stage(seen(arm("4", 500), arm("3", 500), weight=1.0), LIMITS).outcome == "fail"


def test_a_shadow_has_no_split(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 250), arm("3", 1_000), mode="shadow"), LIMITS)
    assert verdict.passed
    assert not any("went to the challenger" in reason for reason in verdict.reasons)


def test_a_shadow_that_answers_otherwise_fails_once_that_is_proven(arm: Any, seen: Any) -> None:
    def look(rows: int, disagreements: int) -> Verdict:
        return judge_stage(seen(arm("4", rows), mode="shadow", disagreements=disagreements), LIMITS)

    assert look(150, 150).outcome == "inconclusive"
    assert look(200, 100).passed
    held = look(200, 120)
    assert held.outcome == "inconclusive"
    assert held.reasons[0].startswith("champion and challenger differ on 120 of 200 rows (60 %; 4")
    assert "above the limit 50 %, but not proven; about" in held.reasons[0]
    failed = look(2_000, 1_150)
    assert failed.outcome == "fail"
    assert failed.reasons[0].endswith("at all looks), above the limit 50 %")


def test_only_rows_that_both_answered_can_disagree(arm: Any, seen: Any) -> None:
    lenient = replace(LIMITS, errors=replace(LIMITS.errors, max_rate=1.0))
    half = seen(arm("4", 1_000, errors=500), arm("3", 1_000, errors=500), mode="shadow", disagreements=100)
    assert "differ on 100 of 500 rows (20 %" in " ".join(judge_stage(half, lenient).reasons)
    none = seen(arm("4", 300, errors=300), arm("3", 300, errors=300), mode="shadow")
    assert judge_stage(none, lenient).reasons[0] == "no row has been answered by both versions"


def test_disagreement_is_not_judged_in_a_canary_or_without_a_limit(arm: Any, seen: Any) -> None:
    assert judge_stage(seen(arm("4", 200), disagreements=200), LIMITS).passed
    unlimited = replace(LIMITS, max_disagreement=None)
    assert judge_stage(seen(arm("4", 200), mode="shadow", disagreements=200), unlimited).passed
