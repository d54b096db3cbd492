"""What became of each training, read off the ledger, and whether a cause is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest

from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.retraining import (
    NOTHING_KNOWN,
    Asked,
    History,
    Made,
    OpenRollout,
    Policy,
    State,
    Training,
    WindowSignals,
    check_causes,
    history_of,
    standing_causes,
)
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
POLICY = Policy(
    enabled=True,
    causes=("drift", "decay", "config"),
    k=2,
    n=3,
    cooldown=Period.parse("7 days"),
    budget=12,
    budget_period=Period.parse("365 days"),
)


def entry(kind: EntryKind, subject: str, day: int, **more: Any) -> Entry:
    """Of the run ``t`` of the train DAG, if not said otherwise; its window is the day."""
    window = Window(START + (day - 1) * DAY, START + day * DAY)
    said = {"dag_id": "churn.train", "run_id": "t", "window": window, **more}
    return Entry("churn", kind, subject, START + day * DAY, **said)


ASKED = entry("retrain_requested", "q", 9, dag_id="churn.monitor", run_id="m", data={"cause": "decay"})
TAKEN = entry("retrain_taken", "q", 9, window=None)
BEGUN = entry("training_begun", "t", 9, data={"causes": ["decay"]})
HELD = entry("gated", "run", 9, data={"outcome": "inconclusive", "run_kind": "manual"})
PASSED = replace(HELD, data={"outcome": "pass", "run_kind": "manual", "recipe": "abc"})
REGISTERED = entry("registered", "7", 9, data={"role": "challenger"})


def ending(kind: EntryKind) -> Entry:
    """How the rollout of version 7 ended, in a run of another DAG."""
    return entry(kind, "7", 10, dag_id="churn.deploy", run_id="d", window=None)


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([ASKED], "asked"),
        ([ASKED, TAKEN], "under_way"),
        ([ASKED, TAKEN, BEGUN], "under_way"),
        ([ASKED, TAKEN, BEGUN, HELD], "held"),
        ([ASKED, TAKEN, BEGUN, PASSED, REGISTERED], "rolling_out"),
        ([ASKED, TAKEN, BEGUN, HELD, REGISTERED], "rolling_out"),  # somebody overrode the gates
        ([ASKED, TAKEN, BEGUN, PASSED, REGISTERED, ending("rolled_back")], "rolled_back"),
        ([ASKED, TAKEN, BEGUN, PASSED, REGISTERED, ending("rejected")], "superseded"),
        ([ASKED, TAKEN, BEGUN, PASSED, REGISTERED, ending("promoted")], "promoted"),
    ],
)
def test_a_retraining_is_where_the_ledger_says(entries: list[Entry], state: State) -> None:
    (training,) = history_of(entries).trainings
    assert (training.state, training.causes, training.end) == (state, ("decay",), START + 9 * DAY)
    assert [one.id for one in training.asked] == ["q"]
    for order in permutations(entries[:4]):
        assert history_of([*order, *entries[4:]]) == history_of(entries)
    assert history_of(entries, without="q").trainings == ()


def test_what_it_was_made_with_and_whether_its_cause_is_gone_are_known() -> None:
    checked = entry("cause_checked", "q", 12, dag_id="churn.monitor", run_id="n", data={"gone": False})
    (training,) = history_of([ASKED, TAKEN, BEGUN, PASSED, REGISTERED, ending("promoted"), checked]).trainings
    assert (training.recipe, training.version, training.asked[0].gone) == ("abc", "7", False)
    assert training.helped(POLICY, START + 12 * DAY) is False


def test_a_training_that_nobody_asked_for_counts_and_a_backfill_does_not() -> None:
    scheduled = entry("training_begun", "s", 5, run_id="s", data={"causes": ["schedule"]})
    of_an_older_release = entry("gated", "run", 3, run_id="o", data={"outcome": "fail"})
    backfill = entry("gated", "run", 8, run_id="b", data={"outcome": "fail", "run_kind": "backfill"})
    found = history_of([backfill, scheduled, of_an_older_release]).trainings
    assert [(one.causes, one.state, one.is_automatic) for one in found] == [
        ((), "held", False),
        (("schedule",), "under_way", False),
    ]


def test_the_open_rollout_is_known() -> None:
    taken = entry("rollout_taken", "7", 10, dag_id="churn.deploy", run_id="d")
    known = OpenRollout("7", "churn.deploy", "d", START + 10 * DAY)
    assert history_of([taken]).rollout == known
    smoked = entry("smoke_served", "7", 11, dag_id="churn.deploy", run_id="d")
    assert history_of([smoked, taken]).rollout == replace(known, heard=START + 11 * DAY)
    assert history_of([taken, ending("rolled_back")]).rollout is None


def test_a_window_that_ends_after_its_entry_was_written_counts_up_to_then() -> None:
    until_2030 = Window(START, datetime(2030, 1, 1, tzinfo=timezone.utc))
    by_hand = entry("training_begun", "s", 5, run_id="s", window=until_2030, data={"causes": ["by_hand"]})
    asked = replace(ASKED, window=until_2030)
    assert [one.end for one in history_of([by_hand, asked]).trainings] == [START + 5 * DAY, START + 9 * DAY]


def test_a_change_whose_training_was_lost_has_its_turn_again_and_one_that_was_judged_has_not() -> None:
    def asks(day: int, *entries: Entry) -> bool:
        champion, today = Made(recipe="old"), Made(recipe="new")
        end = START + day * DAY
        return "config" in standing_causes(POLICY, champion, today, history_of(entries), end)

    asked = replace(ASKED, data={"cause": "config", "recipe": "new"})
    assert not asks(10, asked)
    assert not asks(10, asked, TAKEN, BEGUN)
    assert asks(11, asked, TAKEN, BEGUN)
    assert not asks(11, asked, TAKEN, BEGUN, HELD)


def seen(day: int, *, drifted: bool = False, version: str = "7", **more: Any) -> WindowSignals:
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    return WindowSignals(window, drifted, more.pop("decayed", None), version=version, **more)


def retrained(cause: Any = "drift", state: State = "promoted") -> History:
    """A retraining on data up to the tenth day, which serves as version 7."""
    end = START + 10 * DAY
    return History((Training(end, state, (cause,), ("t", "t"), "7", (Asked("q", cause, end),)),))


def answers(latest: WindowSignals, *earlier: WindowSignals, history: History | None = None) -> list[bool]:
    known = history or retrained()
    checks = check_causes(POLICY, known, latest, earlier, NOTHING_KNOWN, NOTHING_KNOWN)
    return [check.gone for check in checks]


def test_a_cause_is_gone_once_k_of_n_cannot_be_bad_any_more_and_still_there_once_they_are() -> None:
    assert answers(seen(10)) == []
    assert answers(seen(11), seen(10)) == [True]
    assert answers(seen(11, drifted=True), seen(10)) == []
    assert answers(seen(12, drifted=True), seen(11, drifted=True), seen(10)) == [False]
    assert answers(seen(12), seen(11, drifted=True), seen(10)) == [True]


def test_a_window_that_began_within_the_data_of_the_retraining_answers_nothing() -> None:
    end = START + 10 * DAY
    across = replace(seen(9, drifted=True), window=Window(end - DAY / 2, end + DAY / 2))
    assert answers(seen(12, drifted=True), across) == []
    assert answers(seen(12, drifted=True), seen(10, drifted=True)) == [False]


def test_windows_that_cannot_tell_answer_nothing() -> None:
    telling = seen(13)
    for silent in (
        seen(11, compared=False),
        seen(11, upstream_fault="age is null"),
        seen(11, version="6"),
        seen(9),  # begins before the retraining's data end
    ):
        assert answers(telling, silent) == [], silent
    assert answers(seen(11, version="8"), seen(10, version="8")) == []
    decay = retrained("decay")
    assert answers(seen(11), seen(10), history=decay) == []
    assert answers(seen(11, decayed=False), seen(10, decayed=False), history=decay) == [True]


def test_a_cause_is_answered_once_and_only_for_a_version_that_serves() -> None:
    known = retrained().checked({"q": True})
    assert answers(seen(11), seen(10), history=known) == []
    assert answers(seen(11), seen(10), history=retrained(state="rolled_back")) == []


def test_a_changed_configuration_is_gone_where_the_champion_was_trained_with_todays() -> None:
    def gone(champion: str | None) -> list[bool]:
        made, today = Made(recipe=champion), Made(recipe="new")
        checks = check_causes(POLICY, retrained("config"), seen(11), [], made, today)
        return [check.gone for check in checks]

    assert (gone("new"), gone("old"), gone(None)) == ([True], [False], [])
