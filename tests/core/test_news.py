"""What the ledger holds that people may be told of."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.news import EventName, News, news, refusal_of
from airflow_mlops.core.retraining import (
    Asked,
    History,
    Policy,
    Situation,
    Training,
    WindowSignals,
    decide,
)
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def entry(kind: EntryKind, day: int = 0, *, version: str | None = "3", **more: Any) -> Entry:
    """An entry written at noon of a day, about the window that ends with it."""
    end = START + day * DAY
    at = more.pop("at", end + timedelta(hours=12))
    reasons = more.pop("reasons", ())
    return Entry(
        model="churn",
        kind=kind,
        subject=more.pop("subject", f"{kind} {day}"),
        at=at,
        dag_id="churn.monitor",
        run_id=f"run {at}",
        version=version,
        reasons=reasons,
        window=Window(end - DAY, end),
        data=more,
    )


def window(day: int, **found: Any) -> Entry:
    """What monitoring found in a window: nothing, but for what is said."""
    clean = {"drifted": False, "decayed": False, "upstream_fault": None, "drift_share": 0.1, "action": "keep"}
    return entry("monitored", day, **{**clean, **found})


def found(event: EventName, *entries: Entry) -> list[News]:
    return [item for item in news(entries) if item.event == event]


def test_drift_is_one_finding_from_its_first_window_to_the_one_that_finds_none() -> None:
    begins, goes_on, ends = (
        window(1, drifted=True, drifted_columns=["age"]),
        window(2, drifted=True, drifted_columns=["age", "plan"]),
        window(3),
    )
    (first,) = found("drift", begins)
    (second,) = found("drift", begins, goes_on)
    (third,) = found("drift", begins, goes_on, ends)
    assert first.subject == second.subject == third.subject
    assert (first.began, second.began) == (begins.at, begins.at)
    assert second.about - first.about == {"plan"}
    assert (second.over, third.over) == (False, True)
    assert first.headline == "churn: drift in 2026-03-01 to 2026-03-02"
    assert third.headline == "churn: no more drift, by 2026-03-03 to 2026-03-04"


def test_a_window_that_could_not_be_compared_ends_nothing() -> None:
    too_few = window(2, drift_share=None, decayed=None)
    assert [item.over for item in found("drift", window(1, drifted=True), too_few)] == [False]
    assert [item.over for item in found("decay", window(1, decayed=True), too_few)] == [False]


def test_drift_of_data_that_came_in_broken_is_no_news_about_the_model() -> None:
    broken = window(1, drifted=True, decayed=True, upstream_fault="age is all null", fault_columns=["age"])
    assert {item.event for item in news([broken])} == {"upstream_fault"}
    (fault,) = found("upstream_fault", broken)
    assert (fault.about, fault.reasons) == ({"age"}, ("age is all null",))


def test_the_latest_window_counts_and_not_the_one_that_was_looked_at_last() -> None:
    late = window(1, at=START + 9 * DAY)
    assert [item.over for item in found("drift", window(2, drifted=True), late)] == [False]


def test_a_window_that_is_scored_again_counts_as_it_was_scored_last() -> None:
    again = entry("rescored", 1, at=START + 5 * DAY, decayed=True)
    (item,) = found("decay", window(1, decayed=None), again, window(2, decayed=None))
    assert item.entry == again


def test_nothing_bad_is_no_news() -> None:
    assert news([window(1), window(2)]) == []


def test_a_refusal_lasts_until_a_window_is_not_refused_and_none_is_told_where_retraining_is_off() -> None:
    refused = entry(
        "retrain_refused", 1, cause="drift", reasons=("drift in W, but the budget is spent: 2 of 2",)
    )
    off = entry("retrain_refused", 1, cause="drift", reasons=("drift in W, but retraining is disabled",))
    seen = window(1, drifted=True, action="refuse")
    assert [item.about for item in found("retrain_refused", seen, refused)] == [{"budget"}]
    assert [item.over for item in found("retrain_refused", seen, refused, window(2))] == [True]
    assert found("retrain_refused", seen, off) == []


def test_an_open_circuit_breaker_is_a_finding_of_its_own_until_a_request_is_granted() -> None:
    refused = entry(
        "retrain_refused", 1, cause="drift", reasons=("drift in W, but the circuit breaker is open: ...",)
    )
    cooling = entry("retrain_refused", 2, cause="drift", reasons=("drift, but 7 days of cool-down last",))
    assert [item.over for item in found("circuit_breaker_open", refused, cooling, window(3))] == [False]
    granted = entry("retrain_requested", 4, cause="drift")
    assert [item.over for item in found("circuit_breaker_open", refused, granted)] == [True]


def test_a_rollout_that_nobody_is_at_is_told_until_it_has_ended() -> None:
    said = "drift in W, but the rollout of version 7 is not over, and nothing has been heard of it since 2026"
    refused = entry("retrain_refused", 1, cause="drift", reasons=(said,))
    (item,) = found("rollout_abandoned", refused)
    assert (item.reasons, item.over) == ((said,), False)
    assert [item.over for item in found("rollout_abandoned", refused, entry("rolled_back", 2))] == [True]
    waits = entry("retrain_refused", 1, reasons=("drift, but the rollout of version 7 is not over",))
    assert found("rollout_abandoned", waits) == []


@pytest.mark.parametrize("ended_by", ["gated", "overridden"])
def test_a_held_challenger_is_told_until_one_passes_or_a_person_lets_it_through(ended_by: EntryKind) -> None:
    held = entry("gated", 1, outcome="fail", run_kind="scheduled")
    end = entry(ended_by, 2, outcome="pass")
    assert [item.over for item in found("gate_held", held)] == [False]
    assert [item.over for item in found("gate_held", held, end)] == [True]
    assert found("gate_held", entry("gated", 1, outcome="fail", run_kind="backfill")) == []


def test_what_happened_is_told_each_time_it_happens() -> None:
    first, second = entry("promoted", 1, version="4"), entry("promoted", 2, version="5")
    back = entry("rolled_back", 3, version="6", subject="6")
    assert [item.headline for item in news([first, second, back])] == [
        "churn: version 4 is the champion",
        "churn: version 5 is the champion",
        "churn: the rollout of version 6 was rolled back",
    ]
    assert len({item.subject for item in news([first, second, back])}) == 3


def test_slices_that_got_worse_and_detectors_that_fired_are_findings_beside_decay() -> None:
    slices = [{"slice": "plan=basic", "outcome": "fail"}, {"slice": "plan=plus", "outcome": "pass"}]
    detectors = [{"detector": "adwin", "state": "drift"}, {"detector": "kswin", "state": "quiet"}]
    seen = window(1, slices=slices, detectors=detectors)
    assert {item.event: item.about for item in news([seen])} == {
        "slice_decay": {"plan=basic"},
        "concept_drift": {"adwin"},
    }
    quiet = window(2, slices=slices[1:], detectors=detectors[1:])
    assert all(item.over for item in news([seen, quiet]))


def test_what_became_of_a_retraining_is_told_either_way() -> None:
    gone = entry("cause_checked", 1, version="4", subject="a", cause="drift", gone=True)
    there = entry("cause_checked", 2, version="5", subject="b", cause="drift", gone=False)
    assert [item.headline for item in news([gone, there])] == [
        "churn: version 4 has helped: drift is gone",
        "churn: version 5 has not helped: drift is still there",
    ]


def test_a_refusal_is_read_off_the_policys_own_words() -> None:
    window_ = Window(START, START + DAY)
    drifted = WindowSignals(window_, drifted=True, decayed=None)
    spent = Training(START, "promoted", asked=(Asked("a", "drift", START, True),))
    useless = Training(START, "held", asked=(Asked("a", "drift", START),))

    def refused(policy: Policy, signals: WindowSignals = drifted, *trainings: Training) -> str:
        at = Situation(signals, signals.window.end, history=History(trainings))
        return refusal_of(decide(policy, at).reasons)

    def policy(**more: Any) -> Policy:
        usual = {"enabled": True, "causes": ("drift",), "k": 1, "n": 1, "budget": 9}
        periods = {"cooldown": Period.parse("1 second"), "budget_period": Period.parse("30 days")}
        return Policy(**{**usual, **periods, **more})

    assert refused(policy(enabled=False)) == "disabled"
    broken = WindowSignals(window_, drifted=True, decayed=None, upstream_fault="age is null")
    assert refused(policy(), broken) == "upstream fault"
    assert refused(policy(budget=1), drifted, spent) == "budget"
    assert refused(policy(cooldown=Period.parse("9 days")), drifted, spent) == "cool-down"
    assert refused(policy(breaker=1), drifted, useless) == "circuit breaker"


def test_drift_beyond_single_columns_is_a_part_of_it_and_an_odd_feed_a_finding_of_its_own() -> None:
    seen = window(1, drifted=True, drifted_beyond=["predictions"], feed_warnings=["3 rows, 900 are usual"])
    (drift,) = found("drift", seen)
    (feed,) = found("feed_warning", seen)
    assert "predictions" in drift.about
    assert feed.reasons == ("3 rows, 900 are usual",)
    assert [item.over for item in found("feed_warning", seen, window(2, feed_warnings=[]))] == [True]


def test_what_the_loop_does_about_its_own_failures_is_told() -> None:
    held = entry(
        "stopped", 1, subject="train", version=None, reasons=("train has failed the same way in 3 runs",)
    )
    back = entry("healed", 2, subject="2", version="2", out="3")
    assert [(item.event, item.headline) for item in news([held, back])] == [
        ("stopped", "churn: automatic runs are held: a step failed the same way too often"),
        ("healed", "churn: version 2 is put back, as the policy asks on decay"),
    ]
