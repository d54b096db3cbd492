"""What one look at a stage of a rollout says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.analysis import HARM_EVIDENCE, StageLimits, error_evidence, judge_stage
from airflow_mlops.core.values import ArmObservation, Observation, RolloutMode, Verdict
from airflow_mlops.core.windows import Period

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
LIMITS = StageLimits(minimum_requests=200, max_error_rate=0.01, max_latency_ratio=3.0, max_disagreement=0.5)


def arm(version: str, rows: int, errors: int = 0, p99: float | None = 0.1) -> ArmObservation:
    return ArmObservation(version, rows, errors, latency_p50_seconds=p99, latency_p99_seconds=p99)


def seen(
    challenger: ArmObservation | None,
    champion: ArmObservation | None = None,
    *,
    mode: RolloutMode = "canary",
    disagreements: int = 0,
) -> Observation:
    weight = 0.1 if mode == "canary" else 0.0
    champion = champion or arm("3", 2_000)
    return Observation("flight_delay-v4", mode, weight, NOW, champion, challenger, disagreements)


def test_a_stage_without_enough_rows_is_held_and_the_reason_counts_them() -> None:
    assert judge_stage(seen(arm("4", 142)), LIMITS) == Verdict("inconclusive", ("142 of 200 rows",))


@pytest.mark.parametrize("challenger", [None, arm("4", 0, p99=None)])
def test_a_stage_that_saw_nothing_is_held(challenger: ArmObservation | None) -> None:
    assert judge_stage(seen(challenger), LIMITS) == Verdict("inconclusive", ("0 of 200 rows",))


def test_a_healthy_challenger_passes_and_each_check_gives_its_numbers() -> None:
    assert judge_stage(seen(arm("4", 250, errors=1, p99=0.12)), LIMITS) == Verdict(
        "pass",
        (
            "1 of 250 rows failed (0.4 %), within the limit 1 %",
            "p99 latency 120 ms, 1.20 times the champion's 100 ms, within the limit 3.00",
        ),
    )


def test_clear_harm_is_called_before_the_minimum_of_rows() -> None:
    answer = judge_stage(seen(arm("4", 20, errors=5)), LIMITS)
    assert answer.outcome == "fail"
    assert answer.reasons[0].startswith("5 of 20 rows failed (25 %), above the limit 1 %")


def test_one_early_error_is_no_proof() -> None:
    assert judge_stage(seen(arm("4", 1, errors=1)), LIMITS).outcome == "inconclusive"


def test_a_rate_above_the_limit_that_is_not_proven_is_held() -> None:
    answer = judge_stage(seen(arm("4", 200, errors=4)), LIMITS)
    assert answer.outcome == "inconclusive"
    assert answer.reasons[0].startswith("4 of 200 rows failed (2 %), above the limit 1 %, but not proven")


def test_an_equally_broken_champion_is_named() -> None:
    answer = judge_stage(seen(arm("4", 200, errors=50), arm("3", 2_000, errors=400)), LIMITS)
    assert answer.outcome == "fail"
    assert answer.reasons[0].endswith("; the champion fails too, on 400 of 2000 rows (20 %): look at both")


def test_with_a_limit_of_zero_a_single_error_fails() -> None:
    strict = replace(LIMITS, max_error_rate=0.0)
    assert judge_stage(seen(arm("4", 3, errors=1)), strict).outcome == "fail"
    assert judge_stage(seen(arm("4", 300)), strict).passed


def test_with_a_limit_of_one_no_error_matters() -> None:
    assert judge_stage(seen(arm("4", 300, errors=300)), replace(LIMITS, max_error_rate=1.0)).passed


def test_a_much_slower_challenger_fails() -> None:
    answer = judge_stage(seen(arm("4", 200, p99=0.45)), LIMITS)
    assert answer.outcome == "fail"
    assert answer.reasons[0] == ("p99 latency 450 ms, 4.50 times the champion's 100 ms, above the limit 3.00")


def test_ratios_of_tiny_latencies_are_not_judged() -> None:
    tiny = judge_stage(seen(arm("4", 200, p99=0.05), arm("3", 2_000, p99=0.002)), LIMITS)
    assert tiny.passed
    assert judge_stage(seen(arm("4", 200, p99=0.051), arm("3", 2_000, p99=0.002)), LIMITS).outcome == "fail"


@pytest.mark.parametrize("champion", [arm("3", 199, p99=0.01), arm("3", 2_000, p99=None)])
def test_latency_is_not_judged_without_enough_of_the_champion(champion: ArmObservation) -> None:
    answer = judge_stage(seen(arm("4", 200, p99=9.0), champion), LIMITS)
    assert answer.passed
    assert "not judged" in answer.reasons[1]


def test_latency_that_was_not_measured_is_said_to_be_so() -> None:
    answer = judge_stage(seen(arm("4", 200, p99=None)), LIMITS)
    assert answer.passed
    assert "latency was not measured" in answer.reasons


def test_a_shadow_that_answers_otherwise_fails_once_there_are_enough_rows() -> None:
    def look(rows: int, disagreements: int) -> Verdict:
        return judge_stage(seen(arm("4", rows), mode="shadow", disagreements=disagreements), LIMITS)

    assert look(150, 150).outcome == "inconclusive"
    assert look(200, 100).passed
    assert look(200, 101).reasons[0] == (
        "champion and challenger differ on 101 of 200 rows (50.5 %), above the limit 50 %"
    )
    assert look(200, 101).outcome == "fail"


def test_disagreement_is_not_judged_in_a_canary_or_without_a_limit() -> None:
    assert judge_stage(seen(arm("4", 200), disagreements=200), LIMITS).passed
    unlimited = replace(LIMITS, max_disagreement=None)
    assert judge_stage(seen(arm("4", 200), mode="shadow", disagreements=200), unlimited).passed


def test_an_endpoint_in_another_stage_fails_the_stage_and_says_where_it_is() -> None:
    good = seen(arm("4", 500))
    assert judge_stage(good, LIMITS, mode="canary", weight=0.1).passed
    for wrong in (
        judge_stage(good, LIMITS, mode="shadow", weight=0.0),
        judge_stage(good, LIMITS, mode="canary", weight=0.5),
        judge_stage(seen(arm("4", 500), mode="none"), LIMITS),
    ):
        assert wrong.outcome == "fail"
        assert wrong.reasons[0].endswith("somebody else moved the traffic")


def test_impossible_limits_and_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        replace(LIMITS, minimum_requests=0)
    with pytest.raises(ValueError, match="share of the rows"):
        replace(LIMITS, max_error_rate=1.5)
    with pytest.raises(ValueError, match="5 errors in 4 rows"):
        error_evidence(5, 4, 0.01)


def test_evidence_starts_at_one_and_stays_finite() -> None:
    assert error_evidence(0, 0, 0.01) == 1.0
    assert error_evidence(10**6, 10**6, 0.01) < inf
    assert error_evidence(0, 10**6, 0.01) < 1e-6
    assert error_evidence(9, 9, 1 - 1e-16) == error_evidence(9, 9, 1.0) == 1.0
    assert error_evidence(1, 1, 1e-300) > HARM_EVIDENCE


@given(
    rows=st.integers(1, 5_000),
    share=st.floats(0, 0.999),
    limit=st.floats(0.001, 0.9),
)
def test_one_more_error_never_weakens_the_evidence(rows: int, share: float, limit: float) -> None:
    errors = int(share * rows)
    assert error_evidence(errors + 1, rows, limit) >= error_evidence(errors, rows, limit)


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.5])
def test_looking_after_every_row_raises_a_false_alarm_in_at_most_5_percent(limit: float) -> None:
    """Exact, not simulated: the chance of each error count that has not yet raised an alarm."""
    quiet = {0: 1.0}
    alarmed = 0.0
    for rows in range(1, 1_001):
        following: dict[int, float] = {}
        for errors, chance in quiet.items():
            following[errors] = following.get(errors, 0.0) + chance * (1 - limit)
            following[errors + 1] = following.get(errors + 1, 0.0) + chance * limit
        quiet = {}
        for errors, chance in following.items():
            if chance < 1e-12:
                continue
            # Below the limit there is no evidence to compute.
            if errors > limit * rows and error_evidence(errors, rows, limit) >= HARM_EVIDENCE:
                alarmed += chance
            else:
                quiet[errors] = chance
    assert 0 < alarmed <= 0.05


def looks(rate: float, random: Random) -> str:
    """The first final verdict of a challenger with this error rate in 60 looks, 50 rows apart."""
    patient = replace(LIMITS, minimum_requests=3_000)
    errors = 0
    for look in range(1, 61):
        errors += sum(random.random() < rate for _ in range(50))
        answer = judge_stage(seen(arm("4", 50 * look, errors)), patient)
        if answer.outcome == "fail":
            return "fail"
    return answer.outcome


def test_sixty_looks_at_a_harmless_challenger_rarely_fail_it() -> None:
    random = Random(20260301)
    alarms = sum(looks(LIMITS.max_error_rate, random) == "fail" for _ in range(200))
    assert alarms <= 10


def test_sixty_looks_at_a_harmful_challenger_nearly_always_fail_it() -> None:
    random = Random(20260302)
    alarms = sum(looks(2.5 * LIMITS.max_error_rate, random) == "fail" for _ in range(50))
    assert alarms >= 48


LONG = replace(LIMITS, minimum_duration=Period.parse("24 hours"))


@pytest.mark.parametrize("passed", [timedelta(0), timedelta(hours=23, minutes=59, seconds=59.9)])
def test_a_stage_is_held_until_it_has_lasted_its_time_however_busy_it_was(passed: timedelta) -> None:
    verdict = judge_stage(seen(arm("4", 9_000), mode="shadow"), LONG, now=NOW + passed)
    assert verdict.outcome == "inconclusive"
    told = {0: "0:00:00"}.get(int(passed.total_seconds()), "23:59:59")
    assert verdict.reasons[0] == f"open for {told} (h:mm:ss) of at least 1 day"


def test_a_stage_that_has_lasted_its_time_is_judged() -> None:
    healthy = seen(arm("4", 9_000), mode="shadow")
    assert judge_stage(healthy, LONG, now=NOW + timedelta(hours=24)).passed
    differing = seen(arm("4", 9_000), mode="shadow", disagreements=9_000)
    assert judge_stage(differing, LONG, now=NOW + timedelta(hours=1)).outcome == "inconclusive"
    assert judge_stage(differing, LONG, now=NOW + timedelta(hours=24)).outcome == "fail"


def test_proven_errors_do_not_wait_for_the_time_and_no_time_has_passed_by_a_clock_that_is_behind() -> None:
    assert judge_stage(seen(arm("4", 300, errors=90)), LONG, now=NOW).outcome == "fail"
    behind = judge_stage(seen(arm("4", 9_000)), LONG, now=NOW - timedelta(days=3))
    assert behind == judge_stage(seen(arm("4", 9_000)), LONG)
    assert behind.outcome == "inconclusive"
