"""The questions that are answered from a list of ledger entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from airflow_mlops.core.ledger import (
    CLAIMS,
    Entry,
    EntryKind,
    champion_at,
    crowning_moment,
    in_order,
    open_rollout,
    pending_challengers,
    pending_requests,
)

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def entry(kind: EntryKind, subject: str, minute: int = 0, **more: Any) -> Entry:
    settings = {"dag_id": "flight_delay.train", "run_id": "scheduled__1", **more}
    return Entry("flight_delay", kind, subject, START + timedelta(minutes=minute), **settings)


def test_an_entry_keeps_its_id_on_a_retry() -> None:
    first = entry("registered", "4", minute=0, reasons=("first try",))
    again = entry("registered", "4", minute=9, reasons=("second try",))
    assert first.id == again.id
    assert first.id.startswith("registered-")


@pytest.mark.parametrize(
    "other",
    [
        entry("gated", "4"),
        entry("canary_step", "5", stage="0.1"),
        entry("canary_step", "4", stage="0.5"),
        entry("canary_step", "4", stage="0.1", run_id="scheduled__2"),
        entry("canary_step", "4", stage="0.1", dag_id="flight_delay.deploy"),
    ],
)
def test_entries_about_different_things_have_different_ids(other: Entry) -> None:
    assert entry("canary_step", "4", stage="0.1").id != other.id


@pytest.mark.parametrize("kind", sorted(CLAIMS))
def test_a_claim_has_one_id_whichever_run_makes_it(kind: EntryKind) -> None:
    assert entry(kind, "4", run_id="a").id == entry(kind, "4", run_id="b", dag_id="x").id
    assert entry(kind, "4").id != entry(kind, "5").id


def test_an_entry_survives_json() -> None:
    adapter = TypeAdapter(Entry)
    kept = entry("monitored", "2026-03-01", data={"drifted": True}, reasons=("a", "b"))
    assert adapter.validate_python(adapter.dump_python(kept, mode="json")) == kept


def test_requests_are_pending_until_a_run_takes_them_oldest_first() -> None:
    first, second = entry("retrain_requested", "r1", 1), entry("retrain_requested", "r2", 2)
    refused = entry("retrain_refused", "r0", 0)
    assert pending_requests([second, refused, first]) == [first, second]
    assert pending_requests([second, first, entry("retrain_taken", "r1", 3)]) == [second]
    assert pending_requests(iter([])) == []


def test_challengers_are_pending_until_a_rollout_takes_them_and_backfills_never_are() -> None:
    third = entry("registered", "3", 1, data={"role": "challenger"})
    fourth = entry("registered", "4", 2, data={"role": "challenger"})
    backfill = entry("registered", "5", 3, data={"role": "backfill"})
    assert pending_challengers(iter([backfill, fourth, third])) == [third, fourth]
    assert pending_challengers([backfill, fourth, third, entry("rollout_taken", "3", 4)]) == [fourth]


@pytest.mark.parametrize("end", ["promoted", "rolled_back", "rejected"])
def test_a_rollout_is_open_from_when_it_is_taken_to_its_end(end: EntryKind) -> None:
    taken = entry("rollout_taken", "4", 1)
    assert open_rollout([entry("registered", "4")]) is None
    assert open_rollout([taken, entry("canary_step", "4", 2), entry("promotion_intended", "4", 3)]) == taken
    assert open_rollout([entry("rolled_back", "3", 5), taken]) == taken
    assert open_rollout([entry(end, "4", 4), taken]) is None


@pytest.mark.parametrize("end", ["promoted", "rolled_back", "rejected"])
def test_a_rollout_taken_and_ended_within_one_time_stamp_is_not_open(end: EntryKind) -> None:
    for order in permutations([entry("rollout_taken", "4"), entry(end, "4")]):
        assert open_rollout(order) is None


def test_a_version_rejected_before_it_was_taken_is_not_open_either() -> None:
    # A retry stamps what is left to write later than what the first try wrote.
    assert open_rollout([entry("rejected", "3", 1), entry("rollout_taken", "3", 9)]) is None


def test_of_several_open_rollouts_the_oldest_comes_first() -> None:
    first, second = entry("rollout_taken", "4", 1), entry("rollout_taken", "5", 2)
    assert open_rollout(iter([second, first])) == first


def test_the_champion_at_a_moment_is_the_last_promoted_by_then() -> None:
    third, fourth = entry("promoted", "3", 10), entry("promoted", "4", 20)
    rolled_back = entry("rolled_back", "5", 30)
    history = [rolled_back, fourth, third]
    assert champion_at(history) == fourth
    assert champion_at(history, START) is None
    assert champion_at(history, third.at) == third
    assert champion_at(history, fourth.at - timedelta(seconds=1)) == third
    assert champion_at(history, fourth.at) == fourth


@pytest.mark.parametrize("minute", [9, 20, 21])
def test_who_is_made_champion_is_that_from_then_on_whatever_the_clock_says(minute: int) -> None:
    third, now = entry("promoted", "3", 20), START + timedelta(minutes=minute)
    assert crowning_moment([], now) == now
    moment = crowning_moment([third], now)
    assert moment >= now
    for version in ("1", "4"):
        crowned = replace(entry("promoted", version), at=moment)
        assert champion_at([third, crowned]) == crowned


def test_of_one_time_stamp_an_intent_comes_before_what_became_of_it() -> None:
    kinds = [kind for kind in get_args(EntryKind) if kind in ("promotion_intended", "promoted", "monitored")]
    for order in permutations([entry(kind, "4") for kind in kinds]):
        assert [found.kind for found in in_order(order)] == ["promotion_intended", "promoted", "monitored"]
