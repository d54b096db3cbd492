"""Errors of a challenger: above the limit, or more than the champion's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_mlops.core.analysis import ErrorLimits, StageCounts, StageLimits, judge_stage

LIMITS = StageLimits(minimum_requests=200)
LOOSE = replace(LIMITS, errors=ErrorLimits(max_rate=0.2))


def test_one_early_error_is_no_proof(arm: Any, seen: Any) -> None:
    assert judge_stage(seen(arm("4", 1, errors=1)), LIMITS).outcome == "inconclusive"


def test_a_rate_above_the_limit_that_is_not_proven_is_held_and_says_what_would_decide(
    arm: Any, seen: Any
) -> None:
    verdict = judge_stage(seen(arm("4", 200, errors=5), arm("3", 1_800, errors=36)), LIMITS)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons[0] == (
        "5 of 200 rows failed (2.5 %), above the limit 1 %, but not proven (evidence 1.2, 80 needed); "
        "about 530 more rows like these would decide"
    )
    soon = seen(arm("4", 600, errors=15), arm("3", 5_400, errors=108))
    assert judge_stage(soon, LIMITS).outcome == "inconclusive"
    then = seen(arm("4", 840, errors=21), arm("3", 7_560, errors=151))
    assert judge_stage(then, LIMITS).outcome == "fail"


def test_an_equally_broken_champion_is_named(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 200, errors=50), arm("3", 1_800, errors=360)), LIMITS)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].endswith("; the champion fails too, on 360 of 1800 rows (20 %): look at both")


def test_with_a_limit_of_zero_a_single_error_fails(arm: Any, seen: Any) -> None:
    strict = replace(LIMITS, errors=ErrorLimits(max_rate=0.0))
    assert judge_stage(seen(arm("4", 3, errors=1)), strict).outcome == "fail"
    assert judge_stage(seen(arm("4", 300)), strict).passed


def test_with_a_limit_of_one_errors_matter_only_beside_the_champion_s(arm: Any, seen: Any) -> None:
    anything = replace(LIMITS, errors=ErrorLimits(max_rate=1.0))
    assert judge_stage(seen(arm("4", 300, errors=300), arm("3", 2_700, errors=2_700)), anything).passed
    assert judge_stage(seen(arm("4", 300, errors=300)), anything).outcome == "fail"


def test_more_errors_than_the_champion_s_fail_far_below_the_limit(arm: Any, seen: Any) -> None:
    verdict = judge_stage(seen(arm("4", 2_000, errors=100), arm("3", 18_000, errors=180)), LOOSE)
    assert verdict.outcome == "fail"
    assert verdict.reasons == (
        "100 of 2000 rows failed (5 %), the champion: 180 of 18000 rows failed (1 %): more (beyond doubt)",
    )


def test_a_multiple_of_the_champion_s_errors_may_be_borne(arm: Any, seen: Any) -> None:
    six_times = replace(LIMITS, errors=ErrorLimits(max_rate=0.2, max_ratio=6.0))
    stage = seen(arm("4", 2_000, errors=100), arm("3", 18_000, errors=180))
    assert judge_stage(stage, six_times).passed
    nine_times = seen(arm("4", 2_000, errors=180), arm("3", 18_000, errors=180))
    assert "more than 6 times the champion's rate" in judge_stage(nine_times, six_times).reasons[0]


def test_a_likely_excess_is_held_until_it_is_proven_or_gone(arm: Any, seen: Any) -> None:
    def look(ours: int, theirs: int, rows: int) -> tuple[str, str]:
        stage = seen(arm("4", rows, errors=ours), arm("3", rows, errors=theirs), mode="shadow")
        verdict = judge_stage(stage, LOOSE)
        return verdict.outcome, verdict.reasons[0]

    outcome, told = look(20, 8, 1_000)
    assert outcome == "inconclusive"
    assert told.startswith(
        "the champion: 8 of 1000 rows failed (0.8 %); that the challenger has more is likely, but not proven "
    )
    assert told.endswith("more rows like these would decide")
    assert look(40, 16, 2_000)[0] == "inconclusive"
    assert look(80, 32, 4_000)[0] == "fail"
    assert look(22, 20, 2_000)[0] == "pass"


def test_a_handful_of_errors_in_a_million_is_not_compared(arm: Any, seen: Any) -> None:
    rare = seen(arm("4", 100_000, errors=40), arm("3", 900_000, errors=0))
    assert judge_stage(rare, LIMITS).passed
    picky = replace(LIMITS, errors=ErrorLimits(negligible=0.0))
    assert judge_stage(rare, picky).outcome == "fail"


def test_evidence_of_the_earlier_stages_counts_in_the_next_one(arm: Any, seen: Any) -> None:
    shadow = StageCounts(0.5, calls=1_500, failed=36, champion_calls=1_500, champion_failed=15)
    stage = seen(arm("4", 500, errors=10), arm("3", 4_500, errors=45))
    assert judge_stage(stage, LOOSE).outcome == "inconclusive"
    verdict = judge_stage(stage, LOOSE, earlier=[shadow])
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].endswith(", over 2 stages)")


def test_a_call_that_takes_a_hundred_rows_down_is_one_error(arm: Any, seen: Any) -> None:
    """One broken request of 100 rows is no flood of errors, and 8 of them are."""
    rows = seen(arm("4", 1_000, errors=100), arm("3", 9_000))
    assert judge_stage(rows, LIMITS).outcome == "fail"
    champion = arm("3", 9_000, calls=(90, 0))
    once = judge_stage(seen(arm("4", 1_000, errors=100, calls=(10, 1)), champion), LIMITS)
    assert once.outcome == "inconclusive"
    assert once.reasons[0].startswith("100 of 1000 rows failed (10 %), in 1 of 10 calls, above the limit 1 %")
    assert judge_stage(seen(arm("4", 1_000, errors=800, calls=(10, 8)), champion), LIMITS).outcome == "fail"


def test_where_every_request_is_split_both_arms_are_called_as_often_and_share_the_errors(
    arm: Any, seen: Any
) -> None:
    """Ten rows of a hundred go to the challenger, but it is called for every request."""
    stage = seen(
        arm("4", 10_000, errors=200, calls=(1_000, 20)), arm("3", 90_000, errors=1_800, calls=(1_000, 20))
    )
    counts = StageCounts.of(stage)
    assert counts is not None
    assert counts.share == 0.5
    assert judge_stage(stage, LOOSE).passed


def test_a_stage_s_counts_come_back_from_its_ledger_entry(arm: Any, seen: Any) -> None:
    counts = StageCounts.of(seen(arm("4", 100, errors=3), arm("3", 900, errors=9)))
    assert counts == StageCounts(0.1, 100, 3, 900, 9)
    assert counts is not None
    assert StageCounts.from_json(counts.to_json()) == counts
    with pytest.raises(ValueError, match="share"):
        StageCounts.from_json({**counts.to_json(), "share": 0})
    assert StageCounts.of(seen(None)) is None
    assert StageCounts.of(seen(arm("4", 5), mode="none", weight=0.0)) is None


def test_in_a_shadow_both_versions_see_the_same_calls(arm: Any, seen: Any) -> None:
    counts = StageCounts.of(seen(arm("4", 90), arm("3", 100), mode="shadow"))
    assert counts is not None
    assert counts.events.share == 0.5
