"""The retraining policy: causes, k of n, cool-down, budget, and the order of refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.retraining import Decision, Policy, WindowSignals, decide
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
POLICY = Policy(
    enabled=True,
    causes=("drift", "decay"),
    k=1,
    n=1,
    cooldown=Period.parse("3 days"),
    budget=4,
    budget_period=Period.parse("30 days"),
)


def on(day: int, *, drifted: bool = False, decayed: bool | None = False, **more: object) -> WindowSignals:
    """The signals of the day-long window that begins ``day`` days after 1 January 2026."""
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    return WindowSignals(window, drifted, decayed, **more)  # type: ignore[arg-type] # passed through


def decided(
    latest: WindowSignals,
    earlier: Sequence[WindowSignals] = (),
    requested: Sequence[datetime] = (),
    *,
    policy: Policy = POLICY,
    request_open: bool = False,
) -> Decision:
    return decide(policy, latest, earlier, requested, request_open=request_open)


def test_a_quiet_window_keeps_the_model() -> None:
    assert decided(on(9)) == Decision("keep", None, ("no drift and no decay in 2026-01-10 to 2026-01-11",))


def test_a_quiet_window_without_labels_says_that_decay_is_not_known() -> None:
    assert decided(on(9, decayed=None)).reasons == (
        "no drift and decay not known in 2026-01-10 to 2026-01-11",
    )


def test_drift_asks_for_training_and_carries_the_windows_reasons() -> None:
    assert decided(on(9, drifted=True, reasons=("4 of 10 columns drifted",))) == Decision(
        "retrain",
        "drift",
        (
            "drift in 2026-01-10 to 2026-01-11: 1 of the last 1 windows bad, 1 of 1 asked for",
            "4 of 10 columns drifted",
        ),
    )


def test_decay_outranks_drift_as_the_cause() -> None:
    assert decided(on(9, drifted=True, decayed=True)).cause == "decay"


def test_only_causes_of_the_policy_count() -> None:
    only_decay = replace(POLICY, causes=("decay",))
    assert decided(on(9, drifted=True), policy=only_decay) == Decision(
        "keep", None, ("drift in 2026-01-10 to 2026-01-11; the policy counts only decay",)
    )
    assert (
        decided(on(9, drifted=True, decayed=True), policy=replace(POLICY, causes=("drift",))).cause == "drift"
    )
    assert decided(on(9, drifted=True, decayed=True), policy=replace(POLICY, causes=())).action == "keep"


def test_a_disabled_policy_refuses_and_still_names_the_cause() -> None:
    decision = decided(on(9, decayed=True), policy=replace(POLICY, enabled=False))
    assert (decision.action, decision.cause) == ("refuse", "decay")
    assert decision.reasons[0].endswith("but retraining is disabled")


def test_an_upstream_fault_blocks_and_names_the_column() -> None:
    decision = decided(on(9, drifted=True, upstream_fault="pressure is null in 97 % of rows"))
    assert decision.action == "refuse"
    assert "pressure is null in 97 % of rows" in decision.reasons[0]


def test_an_upstream_fault_in_a_quiet_window_is_kept_and_mentioned() -> None:
    decision = decided(on(9, upstream_fault="pressure is null"))
    assert decision.action == "keep"
    assert decision.reasons[0].endswith("upstream fault: pressure is null")


def test_an_open_request_is_not_doubled() -> None:
    decision = decided(on(9, drifted=True), request_open=True)
    assert decision.action == "refuse"
    assert decision.reasons[0].endswith("but a request is already open")


TWO_OF_THREE = replace(POLICY, k=2, n=3)


def test_one_bad_window_is_not_yet_two_of_three() -> None:
    decision = decided(on(9, drifted=True), [on(7), on(8)], policy=TWO_OF_THREE)
    assert decision.action == "refuse"
    assert decision.reasons[0].endswith("but 1 of the last 3 windows bad, 2 of 3 asked for")


def test_two_bad_windows_of_three_are_enough_whatever_their_causes() -> None:
    earlier = [on(8), on(7, decayed=True)]  # in any order
    assert decided(on(9, drifted=True), earlier, policy=TWO_OF_THREE).action == "retrain"


def test_bad_windows_long_ago_do_not_count() -> None:
    earlier = [on(5, drifted=True), on(6, drifted=True), on(7), on(8)]
    assert decided(on(9, drifted=True), earlier, policy=TWO_OF_THREE).action == "refuse"


def test_bad_windows_do_not_count_while_the_latest_is_good() -> None:
    earlier = [on(7, drifted=True), on(8, drifted=True)]
    assert decided(on(9), earlier, policy=TWO_OF_THREE).action == "keep"


def test_earlier_windows_with_an_upstream_fault_are_no_evidence() -> None:
    earlier = [on(8, drifted=True, upstream_fault="pressure is null")]
    assert decided(on(9, drifted=True), earlier, policy=TWO_OF_THREE).action == "refuse"


def test_the_latest_window_and_later_ones_are_not_counted_as_earlier() -> None:
    earlier = [on(9, drifted=True), on(10, drifted=True)]
    assert decided(on(9, drifted=True), earlier, policy=TWO_OF_THREE).action == "refuse"


def test_a_window_that_was_monitored_twice_counts_once_as_it_was_seen_last() -> None:
    twice = [on(8, drifted=True), on(8, drifted=True)]
    three_of_three = replace(POLICY, k=3, n=3)
    assert decided(on(9, drifted=True), twice, policy=three_of_three).action == "refuse"
    corrected = [on(8, drifted=True), on(8)]
    assert decided(on(9, drifted=True), corrected, policy=TWO_OF_THREE).action == "refuse"


def test_the_cool_down_runs_in_event_time_from_the_last_request() -> None:
    last = on(7).window.end
    early = decided(on(9, drifted=True), requested=[last])
    assert early.action == "refuse"
    assert early.reasons[0].endswith(
        "but the last request was at 2026-01-09: 3 days of cool-down last until 2026-01-12"
    )
    assert decided(on(10, drifted=True), requested=[last]).action == "retrain"


def test_a_window_older_than_a_request_does_not_ask_again() -> None:
    decision = decided(on(9, drifted=True), requested=[on(20).window.end])
    assert decision.action == "refuse"
    assert decision.reasons[0].endswith("a later window, to 2026-01-22, has asked already")


def test_a_spent_budget_refuses_and_counts() -> None:
    requested = [on(day).window.end for day in (0, 5, 10, 15)]
    decision = decided(on(20, decayed=True), requested=requested)
    assert decision.action == "refuse"
    assert decision.reasons[0].endswith("but the budget is spent: 4 of 4 requests in the 30 days before")
    assert decided(on(30, decayed=True), requested=requested).action == "retrain"


def test_refusals_are_named_in_their_order() -> None:
    requested = [on(day).window.end for day in (5, 6, 7, 8)]
    latest = on(9, drifted=True, upstream_fault="pressure is null")
    policy = replace(TWO_OF_THREE, enabled=False)
    expected = [
        "disabled",
        "pressure is null",
        "already open",
        "1 of the last 1 windows bad",
        "cool-down",
        "the budget is spent",
    ]
    named = [decided(latest, requested=requested, policy=policy, request_open=True).reasons[0]]
    policy = replace(policy, enabled=True)
    named.append(decided(latest, requested=requested, policy=policy, request_open=True).reasons[0])
    latest = replace(latest, upstream_fault=None)
    named.append(decided(latest, requested=requested, policy=policy, request_open=True).reasons[0])
    named.append(decided(latest, requested=requested, policy=policy).reasons[0])
    policy = replace(policy, k=1, n=1)
    named.append(decided(latest, requested=requested, policy=policy).reasons[0])
    policy = replace(policy, cooldown=Period.parse("1 day"))
    named.append(decided(latest, requested=requested, policy=policy).reasons[0])
    assert all(word in reason for word, reason in zip(expected, named, strict=True)), named


def test_policies_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        replace(POLICY, k=2, n=1)
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        replace(POLICY, k=0)
    with pytest.raises(ValueError, match="zero or more"):
        replace(POLICY, budget=-1)


def test_a_budget_of_zero_never_trains() -> None:
    assert decided(on(9, decayed=True), policy=replace(POLICY, budget=0)).action == "refuse"


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    n = draw(st.integers(1, 4))
    return Policy(
        enabled=True,
        causes=("drift", "decay"),
        k=draw(st.integers(1, n)),
        n=n,
        cooldown=Period(seconds=86_400 * draw(st.integers(1, 6))),
        budget=draw(st.integers(0, 4)),
        budget_period=Period(seconds=86_400 * draw(st.integers(1, 30))),
    )


signals = st.tuples(st.booleans(), st.sampled_from([True, False, None]))


def replayed(policy: Policy, days: Sequence[WindowSignals]) -> list[datetime]:
    """The window ends of all requests, where each is worked off before the next window."""
    requested: list[datetime] = []
    for number, latest in enumerate(days):
        if decided(latest, days[:number], requested, policy=policy).action == "retrain":
            requested.append(latest.window.end)
    return requested


@given(policy=policies(), seen=st.lists(signals, max_size=60), shuffled=st.randoms(use_true_random=False))
def test_requests_never_exceed_the_budget_nor_break_the_cool_down(
    policy: Policy, seen: list[tuple[bool, bool | None]], shuffled: object
) -> None:
    days = [on(day, drifted=drifted, decayed=decayed) for day, (drifted, decayed) in enumerate(seen)]
    shuffled.shuffle(days)  # type: ignore[attr-defined] # a random.Random; windows may come late
    requested = replayed(policy, days)
    cooldown = timedelta(seconds=policy.cooldown.seconds)
    period = timedelta(seconds=policy.budget_period.seconds)
    for first, second in pairwise(requested):
        assert second - first >= cooldown
    for moment in requested:
        assert sum(moment <= other < moment + period for other in requested) <= policy.budget


@given(policy=policies(), seen=st.lists(signals, max_size=40))
def test_training_is_asked_for_only_after_a_bad_window(
    policy: Policy, seen: list[tuple[bool, bool | None]]
) -> None:
    days = [on(day, drifted=drifted, decayed=decayed) for day, (drifted, decayed) in enumerate(seen)]
    bad_ends = {day.window.end for day in days if day.drifted or day.decayed}
    assert set(replayed(policy, days)) <= bad_ends


def test_a_cool_down_of_a_month_is_a_calendar_month() -> None:
    monthly = replace(POLICY, cooldown=Period.parse("1 month"))
    last = datetime(2026, 1, 31, tzinfo=timezone.utc)
    until = datetime(2026, 2, 28, tzinfo=timezone.utc)
    before = WindowSignals(Window(until - 2 * DAY, until - DAY), True, None)
    after = WindowSignals(Window(until - DAY, until), True, None)
    assert decided(before, requested=[last], policy=monthly).action == "refuse"
    assert decided(after, requested=[last], policy=monthly).action == "retrain"


def test_without_a_cool_down_a_request_of_this_very_window_still_counts_against_the_budget() -> None:
    once = replace(POLICY, cooldown=Period(), budget=1)
    end = on(9).window.end
    assert decided(on(9, drifted=True), requested=[end], policy=once).action == "refuse"
    assert decided(on(9, drifted=True), requested=[end], policy=replace(once, budget=2)).action == "retrain"
