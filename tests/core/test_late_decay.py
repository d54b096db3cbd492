"""Decay that shows when labels land, in windows before the latest one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_mlops.core.retraining import Decision, Policy, Situation, WindowSignals, decide
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
WEEK = Period.parse("7 days")


def on(day: int, *, decayed: bool | None, judged: bool = True, version: str = "1") -> WindowSignals:
    window = Window(START + timedelta(days=day), START + timedelta(days=day + 1))
    return WindowSignals(window, drifted=False, decayed=decayed, judged=judged, version=version)


def decided(latest: WindowSignals, *earlier: WindowSignals, k: int = 1, n: int = 3) -> Decision:
    policy = Policy(
        enabled=True, causes=("drift", "decay"), k=k, n=n, cooldown=WEEK, budget=4, budget_period=WEEK
    )
    return decide(policy, Situation(latest, latest.window.end, earlier))


def waiting(day: int) -> WindowSignals:
    return on(day, decayed=None, judged=False)


def test_it_counts_among_the_windows_that_have_labels_however_many_still_wait() -> None:
    bad = (on(1, decayed=True), on(2, decayed=True))
    decision = decided(waiting(9), *bad, *(waiting(day) for day in range(3, 9)), k=2)
    assert (decision.action, decision.cause) == ("retrain", "decay")
    assert decision.reasons[0].startswith(
        "decay in 2026-01-03 to 2026-01-04, the latest window with labels: 2 of the last 2 windows bad"
    )


def test_one_of_two_that_are_asked_for_is_refused_with_the_count() -> None:
    decision = decided(waiting(4), on(1, decayed=False), on(2, decayed=True), waiting(3), k=2)
    assert (decision.action, decision.cause) == ("refuse", "decay")
    assert "1 of the last 2 windows bad, 2 of 3 asked for" in decision.reasons[0]


def test_the_latest_window_with_labels_speaks_for_the_model() -> None:
    assert decided(waiting(3), on(1, decayed=True), on(2, decayed=False)).action == "keep"
    # One whose labels leave it open has been judged.
    assert decided(waiting(3), on(1, decayed=True), on(2, decayed=None)).action == "keep"
    assert decided(on(3, decayed=None), on(2, decayed=True)).action == "keep"


def test_what_another_champion_decayed_by_is_no_news_about_this_one() -> None:
    latest = on(3, decayed=None, judged=False, version="2")
    assert decided(latest, on(2, decayed=True, version="1")).action == "keep"
