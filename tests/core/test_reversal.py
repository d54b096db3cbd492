"""Which champions there have been, and what is left of a reversal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

from airflow_mlops.core.ledger import Entry, EntryKind, champion_at, in_order, pending_challengers
from airflow_mlops.core.reversal import end_of, former_champions, open_reversal, succession

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def story(*told: tuple[EntryKind, str] | tuple[EntryKind, str, str]) -> list[Entry]:
    """Entries one minute apart; a third word is ``data.previous``. Each is of a run of its own, but the end
    of a reversal is of the run that intended it."""
    minutes, entries = count(), []
    for kind, subject, *previous in told:
        minute = next(minutes)
        run = f"r{minute}"
        if kind in ("reversed", "reversal_refused"):
            run = next(
                e.run_id for e in reversed(entries) if (e.kind, e.subject) == ("reversal_intended", subject)
            )
        data: dict[str, Any] = {"previous": previous[0]} if previous else {}
        at = START + timedelta(minutes=minute)
        entries.append(Entry("rain", kind, subject, at, "rain.deploy", run, data=data))
    return entries


def versions(entries: list[Entry], serving: str | None = None) -> list[str]:
    return [reign.version for reign in succession(entries, serving)]


THREE = (("promoted", "1"), ("promoted", "2", "1"), ("promoted", "3", "2"))


def test_whoever_was_put_back_is_champion_from_then_on() -> None:
    entries = story(*THREE, ("reversal_intended", "2", "3"), ("reversed", "2", "3"))
    assert champion_at(entries) == entries[-1]
    assert champion_at(entries, entries[-2].at) == entries[2]


def test_two_reversals_go_back_twice_and_never_to_what_was_taken_out() -> None:
    once = (*THREE, ("reversal_intended", "2", "3"), ("reversed", "2", "3"))
    assert versions(story(*once)) == ["1", "2"]
    twice = (*once, ("reversal_intended", "1", "2"), ("reversed", "1", "2"))
    assert versions(story(*twice)) == ["1"]
    assert [reign.version for reign in former_champions(story(*twice))] == ["3", "2", "1"]


def test_a_champion_that_was_made_one_by_hand_is_the_present_one_and_the_ledgers_comes_before() -> None:
    assert versions(story(*THREE), serving="7") == ["1", "2", "3", "7"]
    assert versions(story(*THREE), serving="2") == ["1", "2"]
    assert versions(story(("promoted", "4", "3"))) == ["3", "4"]
    assert versions(story(*THREE, ("promoted", "4", "1"))) == ["1", "4"]


def test_a_reversal_is_open_until_it_is_finished_or_given_up_whoever_does_that() -> None:
    begun = story(*THREE, ("reversal_intended", "2", "3"))
    assert open_reversal(begun) == begun[-1]
    for end in ("reversed", "reversal_refused"):
        entries = story(*THREE, ("reversal_intended", "2", "3"), (end, "2", "3"))
        assert open_reversal(entries) is None
        assert end_of(entries, entries[3]) == entries[4]
    again = [
        *story(*THREE, ("reversal_intended", "2", "3"), ("reversed", "2", "3"), ("reversal_intended", "2"))
    ]
    assert open_reversal(again) == again[-1]


def test_the_later_of_two_reversals_that_were_left_open_counts() -> None:
    entries = story(*THREE, ("reversal_intended", "2", "3"), ("reversal_intended", "1", "3"))
    assert open_reversal(entries[::-1]) == entries[-1]


def test_a_version_that_was_taken_out_is_no_pending_challenger() -> None:
    made = Entry("rain", "registered", "9", START, "rain.train", "r", data={"role": "challenger"})
    assert pending_challengers([made]) == [made]
    assert pending_challengers([made, *story(("reversal_intended", "2", "9"), ("reversed", "2", "9"))]) == []


def test_an_intent_comes_before_its_end_where_both_are_of_one_moment() -> None:
    entries = story(("reversal_intended", "2"), ("reversed", "2"))
    tied = [Entry(e.model, e.kind, e.subject, START, e.dag_id, e.run_id) for e in entries]
    assert in_order(tied[::-1]) == tied
