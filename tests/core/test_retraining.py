"""The retraining policy: causes, k of n, rows, cool-down, budget, circuit breaker, order of refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.retraining import (
    Asked,
    Cause,
    Decision,
    History,
    OpenRollout,
    Policy,
    Quiet,
    Situation,
    State,
    Training,
    WindowSignals,
    decide,
    let_through,
)
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


def training(
    end: datetime,
    state: State = "promoted",
    causes: Sequence[Cause] = ("drift",),
    *,
    gone: bool | None = None,
    automatic: bool = True,
) -> Training:
    """A training on data up to ``end``; one that monitoring asked for, if not said otherwise."""
    run = None if state == "asked" else ("churn.train", end.isoformat())
    asked = (Asked(end.isoformat(), causes[0], end, gone),) if automatic else ()
    return Training(end, state, tuple(causes), run, asked=asked)


def decided(
    latest: WindowSignals,
    earlier: Sequence[WindowSignals] = (),
    requested: Sequence[datetime] = (),
    *,
    policy: Policy = POLICY,
    request_open: bool = False,
    trainings: Sequence[Training] = (),
    rollout: OpenRollout | None = None,
    standing: Mapping[Cause, str] | None = None,
    now: datetime | None = None,
) -> Decision:
    known = [*trainings, *(training(moment) for moment in requested)]
    if request_open:
        known.append(training(START - 100 * DAY, "asked"))
    history = History(tuple(sorted(known, key=lambda one: one.end)), rollout)
    return decide(policy, Situation(latest, now or latest.window.end, earlier, history, standing or {}))


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


ROLLOUT = OpenRollout("7", "churn.deploy", "d1", START + 10 * DAY)
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


def test_a_training_for_any_cause_starts_the_cool_down() -> None:
    by_hand = training(on(7).window.end, causes=["by_hand"], automatic=False)
    decision = decided(on(9, drifted=True), trainings=[by_hand])
    assert decision.action == "refuse"
    assert decision.reasons[0].endswith(
        "but the last training was at 2026-01-09: 3 days of cool-down last until 2026-01-12"
    )


def test_only_what_monitoring_asked_for_is_paid_from_the_budget() -> None:
    scheduled = [training(on(day).window.end, causes=["schedule"], automatic=False) for day in (0, 5, 10, 15)]
    assert decided(on(20, decayed=True), trainings=scheduled).action == "retrain"


def test_what_a_training_has_answered_is_no_evidence_any_more() -> None:
    earlier = [on(7, drifted=True), on(8, drifted=True)]
    scheduled = training(on(8).window.end, causes=["schedule"], automatic=False)
    quick = replace(TWO_OF_THREE, cooldown=Period())
    decision = decided(on(9, drifted=True), earlier, trainings=[scheduled], policy=quick)
    assert decision.reasons[0].endswith("but 1 of the last 1 windows bad, 2 of 3 asked for")


def test_windows_of_another_champion_are_no_evidence_against_this_one() -> None:
    earlier = [on(8, drifted=True, version="6")]
    assert decided(on(9, drifted=True, version="7"), earlier, policy=TWO_OF_THREE).action == "refuse"
    assert decided(on(9, drifted=True, version="6"), earlier, policy=TWO_OF_THREE).action == "retrain"


@pytest.mark.parametrize(
    ("trainings", "rollout", "told"),
    [
        (
            [training(START, "under_way")],
            None,
            "the training on data up to 2026-01-01 has not come to a verdict",
        ),
        ([], ROLLOUT, "the rollout of version 7 is not over"),
    ],
)
def test_one_training_at_a_time_up_to_the_end_of_its_rollout(
    trainings: list[Training], rollout: OpenRollout | None, told: str
) -> None:
    patient = replace(POLICY, patience=Period.parse("30 days"))
    decision = decided(on(9, drifted=True), trainings=trainings, rollout=rollout, policy=patient)
    assert (decision.action, decision.cause) == ("refuse", "drift")
    assert told in decision.reasons[0]


def test_a_rollout_that_is_silent_for_too_long_says_what_ends_it() -> None:
    def refused(hours: int) -> str:
        now = ROLLOUT.heard + timedelta(hours=hours)
        return decided(on(9, drifted=True), rollout=ROLLOUT, now=now).reasons[0]

    assert refused(71).endswith("the rollout of version 7 is not over")
    assert refused(72).endswith(
        "the rollout of version 7 is not over, and nothing has been heard of it since 2026-01-11: if the run "
        "d1 of churn.deploy is not at it any more, trigger churn.deploy, which finishes or undoes it"
    )


def test_a_window_that_ends_in_the_future_counts_as_of_now() -> None:
    now, last = on(9).window.end, on(8).window.end
    decision = decided(on(900, drifted=True), requested=[last], now=now)
    assert "3 days of cool-down last" in decision.reasons[0]


def test_a_training_without_a_verdict_is_taken_for_dead_when_patience_is_over() -> None:
    dead = [training(START, "under_way")]
    assert decided(on(9, drifted=True), trainings=dead, policy=POLICY).action == "retrain"


def test_few_new_rows_are_no_reason_to_train_and_are_counted_since_the_last_trainings_data() -> None:
    policy = replace(POLICY, minimum_rows=250)
    served = [on(day, rows=100) for day in range(9)]
    latest = on(9, drifted=True, rows=100)
    decision = decided(
        latest, served, requested=[on(7).window.end], policy=replace(policy, cooldown=Period())
    )
    assert decision.reasons[0].endswith(
        "but 200 rows were served since the last training's data, 2026-01-09, 250 asked for: there is little "
        "to learn"
    )
    assert decided(latest, served, policy=policy).action == "retrain"
    assert decided(replace(latest, rows=None), served, policy=policy).action == "retrain"


def test_rows_of_windows_that_lie_over_each_other_are_counted_once() -> None:
    def week_to(day: int) -> WindowSignals:
        end = START + day * DAY
        return WindowSignals(Window(end - 7 * DAY, end), drifted=True, decayed=None, rows=700)

    policy = replace(POLICY, minimum_rows=1_000)
    decision = decided(week_to(9), [week_to(8), week_to(7)], policy=policy)
    assert "but 900 rows were served, 1000 asked for" in decision.reasons[0]


BREAKER = replace(POLICY, breaker=2, breaker_rest=Period.parse("20 days"), budget=100)


@pytest.mark.parametrize(
    ("useless", "why"),
    [
        (training(on(4).window.end, "held"), "its challenger was held by the gates"),
        (training(on(4).window.end, "rolled_back"), "its challenger was rolled back"),
        (training(on(4).window.end, "under_way"), "it came to no verdict"),
        (training(on(4).window.end, "promoted", gone=False), "its cause is still there"),
    ],
)
def test_the_circuit_breaker_opens_after_retrainings_that_did_not_help(useless: Training, why: str) -> None:
    trainings = [training(on(0).window.end, "held"), useless]
    decision = decided(on(9, drifted=True), trainings=trainings, policy=BREAKER)
    assert decision.action == "refuse"
    assert "the circuit breaker is open: the last 2 retrainings did not help" in decision.reasons[0]
    assert f"2026-01-06: {why}; 2026-01-02: its challenger was held by the gates" in decision.reasons[0]
    assert "lets one try after 2026-01-26" in decision.reasons[0]
    assert decided(on(9, drifted=True), trainings=trainings[1:], policy=BREAKER).action == "retrain"
    assert decided(on(25, drifted=True), trainings=trainings, policy=BREAKER).action == "retrain"


@pytest.mark.parametrize(
    "between",
    [
        training(on(5).window.end, "promoted", gone=True),
        training(on(5).window.end, "promoted", ["by_hand"], automatic=False),
        training(on(5).window.end, "held", ["code"]),
    ],
)
def test_one_that_helped_or_that_a_person_had_a_hand_in_closes_the_circuit_breaker(between: Training) -> None:
    trainings = [training(on(0).window.end, "held"), training(on(4).window.end, "held"), between]
    assert decided(on(9, drifted=True), trainings=trainings, policy=BREAKER).action == "retrain"


@pytest.mark.parametrize(
    "between",
    [
        training(on(5).window.end, "superseded"),
        training(on(5).window.end, "promoted"),
        training(on(5).window.end, "promoted", ["schedule"], automatic=False),
    ],
)
def test_one_of_which_nobody_knows_whether_it_helped_leaves_the_circuit_breaker_open(
    between: Training,
) -> None:
    trainings = [training(on(0).window.end, "held"), training(on(4).window.end, "held"), between]
    decision = decided(on(9, drifted=True), trainings=trainings, policy=BREAKER)
    assert "the circuit breaker is open" in decision.reasons[0]


def test_age_needs_no_bad_window_and_comes_after_what_windows_show() -> None:
    policy = replace(POLICY, causes=("drift", "decay", "age"))
    standing: dict[Cause, str] = {"age": "the champion's data end at 2025-10-01"}
    decision = decided(on(9), policy=policy, standing=standing)
    assert (decision.action, decision.cause, decision.also) == ("retrain", "age", ())
    both = decided(on(9, drifted=True), policy=policy, standing=standing)
    assert (both.cause, both.also) == ("drift", ("age",))
    assert standing["age"] in both.reasons
    too_few = decided(on(9, drifted=True), policy=replace(policy, k=2, n=3), standing=standing)
    assert (too_few.action, too_few.cause, too_few.also) == ("retrain", "age", ("drift",))


def test_new_code_waits_for_no_rows_and_no_circuit_breaker_but_for_cool_down_and_budget() -> None:
    policy = replace(BREAKER, causes=("code",), minimum_rows=1_000)
    standing: dict[Cause, str] = {"code": "the training code is b, the champion was trained with a"}
    held = [training(on(day).window.end, "held") for day in (0, 4)]
    assert decided(on(9, rows=1), policy=policy, standing=standing, trainings=held).action == "retrain"
    assert decided(on(5, rows=1), policy=policy, standing=standing, trainings=held).action == "refuse"
    spent = replace(policy, budget=2)
    assert "the budget is spent" in decided(on(9), policy=spent, standing=standing, trainings=held).reasons[0]


NIGHTS = Quiet(22 * 60, 6 * 60)
OFFICE = Quiet(8 * 60, 18 * 60, frozenset({0, 1, 2, 3, 4}))


def test_in_quiet_hours_training_is_asked_for_and_waits_for_their_end() -> None:
    policy = replace(POLICY, quiet=(NIGHTS, OFFICE), timezone="Europe/Paris")
    thursday_night = datetime(2026, 1, 8, 23, 30, tzinfo=timezone.utc)  # half past midnight in Paris
    decision = decided(on(7, drifted=True), policy=policy, now=thursday_night)
    assert decision.action == "retrain"
    assert decision.not_before == datetime(2026, 1, 9, 5, tzinfo=timezone.utc)
    assert decision.reasons[1] == "training waits for the quiet hours to end, 2026-01-09 06:00 Europe/Paris"
    monday = datetime(2026, 1, 12, 9, tzinfo=timezone.utc)
    assert decided(on(7, drifted=True), policy=policy, now=monday).not_before == datetime(
        2026, 1, 12, 17, tzinfo=timezone.utc
    )
    sunday = datetime(2026, 1, 11, 9, tzinfo=timezone.utc)
    assert decided(on(7, drifted=True), policy=policy, now=sunday).not_before is None


def test_quiet_hours_that_follow_each_other_are_waited_through() -> None:
    policy = replace(POLICY, quiet=(Quiet(22 * 60, 8 * 60), OFFICE))
    sunday_night = datetime(2026, 1, 11, 23, tzinfo=timezone.utc)
    assert policy.quiet_until(sunday_night) == datetime(2026, 1, 12, 18, tzinfo=timezone.utc)
    never = replace(POLICY, quiet=(Quiet(0, 0),))
    with pytest.raises(ValueError, match="leave no hour of the week"):
        never.quiet_until(sunday_night)


@given(
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(timezone.utc)),
    hours=st.lists(
        st.tuples(st.integers(0, 1439), st.integers(0, 1440), st.sets(st.integers(0, 6), min_size=1)),
        max_size=3,
    ),
)
def test_what_quiet_hours_hold_back_begins_as_soon_as_it_may(
    moment: datetime, hours: list[tuple[int, int, set[int]]]
) -> None:
    quiet = tuple(Quiet(start, end, frozenset(days)) for start, end, days in hours)
    policy = replace(POLICY, quiet=quiet, timezone="America/New_York")
    try:
        until = policy.quiet_until(moment)
    except ValueError:
        return
    if until is None:
        assert all(one.until(moment.astimezone(ZoneInfo("America/New_York"))) is None for one in quiet)
    else:
        assert until > moment
        assert policy.quiet_until(until) is None


def test_new_data_are_let_through_unless_the_policy_holds_them_back() -> None:
    after = History((training(on(8).window.end),))
    end, now = on(9).window.end, START + 99 * DAY
    assert let_through(POLICY, ["new_data"], end, after, now) is None
    holding = replace(POLICY, hold_back=frozenset({"new_data"}))
    told = let_through(holding, ["new_data"], end, after, now)
    assert told == "the last request was at 2026-01-10: 3 days of cool-down last until 2026-01-13"
    assert let_through(holding, ["new_data", "by_hand"], end, after, now) is None
    assert let_through(holding, ["new_data"], on(12).window.end, after, now) is None
    rolling = replace(after, rollout=ROLLOUT)
    assert let_through(holding, ["new_data"], on(12).window.end, rolling, now) is not None
    assert let_through(holding, ["new_data"], now + DAY, after, on(9).window.end) is not None


def test_causes_that_monitoring_cannot_see_are_no_policy() -> None:
    with pytest.raises(ValueError, match="monitoring cannot see schedule; it sees decay, drift"):
        replace(POLICY, causes=("schedule",))


outcomes = st.sampled_from(["held", "rolled_back", "superseded", "promoted", "gone", "there", "asked"])


@given(
    policy=policies(),
    breaker=st.integers(0, 3),
    seen=st.lists(st.tuples(signals, outcomes, st.booleans()), max_size=60),
)
def test_whatever_comes_of_it_no_request_breaks_budget_cool_down_breaker_or_one_at_a_time(
    policy: Policy, breaker: int, seen: list[tuple[tuple[bool, bool | None], str, bool]]
) -> None:
    policy = replace(policy, breaker=breaker, breaker_rest=Period.parse("9 days"))
    days: list[WindowSignals] = []
    trainings: list[Training] = []
    for day, ((drifted, decayed), outcome, scheduled) in enumerate(seen):
        latest = on(day, drifted=drifted, decayed=decayed)
        if scheduled:
            trainings.append(training(latest.window.start, causes=["schedule"], automatic=False))
        if decided(latest, days, policy=policy, trainings=trainings).action == "retrain":
            _holds(policy, latest, trainings)
            state = "promoted" if outcome in ("gone", "there") else outcome
            gone = {"gone": True, "there": False}.get(outcome)
            trainings.append(training(latest.window.end, state, gone=gone))  # type: ignore[arg-type] # a State
        elif trainings and trainings[-1].state == "asked":
            trainings[-1] = training(trainings[-1].end, "held")  # its run came at last
        days.append(latest)


def _holds(policy: Policy, latest: WindowSignals, trainings: list[Training]) -> None:
    """What must be true of the moment in which the policy says yes."""
    end = latest.window.end
    asked = [one for one in trainings if one.asked]
    assert latest.drifted or latest.decayed
    assert not any(one.state == "asked" for one in trainings)
    assert all(policy.cooldown.after(one.end) <= end for one in trainings)
    assert sum(policy.budget_period.before(end) < one.end <= end for one in asked) < policy.budget
    known = [(one.end, useless) for one in asked if (useless := one.helped(policy, end)) is not None]
    in_a_row = [moment for moment, _ in known[-policy.breaker :]] if policy.breaker else []
    if len(in_a_row) == policy.breaker > 0 and not any(helped for _, helped in known[-policy.breaker :]):
        assert policy.breaker_rest.after(known[-1][0]) <= end


def test_decay_that_late_labels_show_counts_among_the_windows_that_have_labels() -> None:
    known = [on(3, decayed=False), on(4, decayed=True), on(5, decayed=True)]
    unlabelled = [on(day, decayed=None) for day in (6, 7, 8)]
    latest = on(9, decayed=None, late_decay=known[-1].window)
    decision = decided(latest, [*known, *unlabelled], policy=TWO_OF_THREE)
    assert (decision.action, decision.cause) == ("retrain", "decay")
    assert decision.reasons[0] == (
        "decay in 2026-01-06 to 2026-01-07, by labels that have landed since: 2 of the last 3 windows with "
        "labels bad, 2 of 3 asked for"
    )
    once = decided(latest, [on(4, decayed=False), *known[2:], *unlabelled], policy=TWO_OF_THREE)
    assert (once.action, once.cause) == ("refuse", "decay")
    assert decided(on(9, decayed=None), [*known, *unlabelled], policy=TWO_OF_THREE).action == "keep"
    answered = [training(known[-1].window.end, causes=["schedule"], automatic=False)]
    assert decided(latest, [*known, *unlabelled], policy=TWO_OF_THREE, trainings=answered).action == "refuse"
    broken = on(4, decayed=True, upstream_fault="age is null")
    beside = decided(latest, [known[0], broken, known[2], *unlabelled], policy=TWO_OF_THREE)
    assert (beside.action, beside.cause) == ("refuse", "decay")
