"""When the loop stops, what it falls back on, and when it goes back to an earlier champion."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.healing import (
    has_failed,
    last_good_snapshot,
    left_healing,
    standing_stop,
    way_back,
)
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.windows import Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
TRAIN = "churn.train"


def wrote(place: int, kind: Any, subject: str = "train", *, dag: str = TRAIN, **data: Any) -> Entry:
    at = START + timedelta(hours=place)
    version = data.pop("version", None)
    return Entry("churn", kind, subject, at, dag, f"r{place}", stage=str(place), version=version, data=data)


def failed(place: int, fingerprint: str = "f", step: str = "train", dag: str = TRAIN) -> Entry:
    return wrote(place, "failed", step, dag=dag, fingerprint=fingerprint, cause="code", next_step="mend it.")


def test_a_step_that_failed_the_same_way_in_three_runs_in_a_row_stops() -> None:
    entries = [failed(1), failed(2)]
    assert standing_stop(entries, TRAIN, 3) is None
    stop = standing_stop([*entries, failed(3)], TRAIN, 3)
    assert (stop.step, stop.runs, stop.cause) == ("train", ("r1", "r2", "r3"), "code")
    assert "train has failed the same way in 3 runs in a row" in str(stop)
    assert "mend it." in str(stop)
    assert standing_stop([*entries, failed(3)], TRAIN, None) is None


def test_success_another_failure_and_another_dag_break_the_row() -> None:
    assert standing_stop([failed(1), failed(2), wrote(3, "recovered"), failed(4)], TRAIN, 3) is None
    assert standing_stop([failed(1), failed(2), failed(3, "other"), failed(4)], TRAIN, 3) is None
    assert standing_stop([failed(1), failed(2), failed(3, dag="churn.monitor")], TRAIN, 3) is None
    assert standing_stop([failed(1), failed(2), failed(3, step="validate")], TRAIN, 3) is None


def test_a_task_that_was_cleared_in_its_run_counts_once() -> None:
    again = [failed(1), failed(2), failed(2), failed(2)]
    assert standing_stop(again, TRAIN, 3) is None


def test_a_recovery_is_only_of_the_step_that_failed() -> None:
    entries = [failed(1), failed(2, step="validate"), wrote(3, "recovered", "validate")]
    assert has_failed(entries, TRAIN, "train")
    assert not has_failed(entries, TRAIN, "validate")
    assert not has_failed([], TRAIN, "train")


@given(st.lists(st.sampled_from(["a", "b", "ok"]), max_size=12), st.integers(2, 4))
def test_it_stops_exactly_where_so_many_like_failures_are_the_last(history, limit) -> None:
    entries = [
        wrote(place, "recovered") if what == "ok" else failed(place, what)
        for place, what in enumerate(history)
    ]
    tail = history[-limit:]
    expected = len(tail) == limit and len(set(tail)) == 1 and tail[0] != "ok"
    assert (standing_stop(entries, TRAIN, limit) is not None) is expected
    assert standing_stop(entries[::-1], TRAIN, limit) == standing_stop(entries, TRAIN, limit)


def test_the_last_good_snapshot_is_the_one_with_the_newest_rows_but_the_one_refused() -> None:
    def validated(place: int, version: str, days: int) -> Entry:
        return replace(wrote(place, "validated", version), window=Window(START, START + timedelta(days=days)))

    entries = [validated(1, "v1", 30), validated(2, "v2", 40), validated(3, "v3", 25)]
    by = START + timedelta(days=50)
    assert last_good_snapshot(entries, by).subject == "v2"
    assert last_good_snapshot(entries, by, but="v2").subject == "v1"
    assert last_good_snapshot([*entries, validated(4, "v4", 40)], by).subject == "v4"
    assert last_good_snapshot(entries, START + timedelta(days=35)).subject == "v1"
    assert last_good_snapshot(entries, START + timedelta(days=20)) is None
    assert last_good_snapshot([], by) is None


def promoted(place: int, version: str, previous: str | None = None) -> Entry:
    return wrote(place, "promoted", version, dag="churn.deploy", version=version, previous=previous)


def looked(place: int, version: str, **data: Any) -> Entry:
    return wrote(place, "monitored", str(place), dag="churn.monitor", version=version, **data)


REIGNS = [promoted(1, "1"), promoted(2, "2", "1")]


def test_decay_puts_the_champion_before_back() -> None:
    found = way_back(REIGNS, "2", decayed=True, fault=None)
    assert (found.action, found.version) == ("roll_back", "1")
    assert found.reason == "version 2 has decayed; version 1 served before it"


def test_nothing_is_put_back_without_proven_decay_or_with_a_broken_feed() -> None:
    assert way_back(REIGNS, "2", decayed=None, fault=None).version is None
    assert way_back(REIGNS, "2", decayed=False, fault=None).version is None
    assert "age is null" in way_back(REIGNS, "2", decayed=True, fault="age is null").reason


def test_it_is_done_once_until_another_version_is_promoted() -> None:
    healed = [*REIGNS, wrote(3, "healed", "1"), wrote(4, "reversed", "1", previous="2")]
    assert "already" in way_back(healed, "1", decayed=True, fault=None).reason
    anew = [*healed, promoted(5, "3", "1")]
    assert way_back(anew, "3", decayed=True, fault=None).version == "1"


def test_what_was_only_intended_has_not_been_done_and_what_was_refused_is_not_tried_again() -> None:
    intended = [*REIGNS, wrote(3, "healing_intended", "1", out="2")]
    assert way_back(intended, "2", decayed=True, fault=None).version == "1"
    assert left_healing(intended, "2") == intended[-1]
    assert left_healing(intended, "1") is None
    refused = [*intended, replace(intended[-1], kind="reversal_refused")]
    assert "could not be put back" in way_back(refused, "2", decayed=True, fault=None).reason
    assert left_healing(refused, "2") is None
    by_hand = [*intended, wrote(4, "reversal_refused", "1")]
    assert way_back(by_hand, "2", decayed=True, fault=None).version == "1"
    assert left_healing([*intended, promoted(5, "3", "2")], "2") is None


def test_a_version_that_decayed_too_is_never_put_back() -> None:
    entries = [REIGNS[0], looked(1, "1", decayed=True), REIGNS[1]]
    assert way_back(entries, "2", decayed=True, fault=None).reason == "version 1 decayed too while it served"
    blamed = [REIGNS[0], looked(1, "1", decayed=True, upstream_fault="age is null"), REIGNS[1]]
    assert way_back(blamed, "2", decayed=True, fault=None).version == "1"


def test_the_first_champion_stays() -> None:
    assert "first champion" in way_back([promoted(1, "1")], "1", decayed=True, fault=None).reason
    assert way_back([], "1", decayed=True, fault=None).version is None


_EVENTS = st.lists(st.tuples(st.sampled_from(["promote", "decay", "heal"]), st.booleans()), max_size=14)


@given(_EVENTS)
def test_whatever_happens_no_decayed_version_comes_back_and_none_twice_in_a_row(events) -> None:
    entries: list[Entry] = []
    version, champion, decayed, since_promotion = 0, None, set(), 0
    for place, (what, fault) in enumerate(events):
        if what == "promote":
            version += 1
            entries.append(promoted(place, str(version), champion))
            champion, since_promotion = str(version), 0
        elif champion is not None and what == "decay":
            found = way_back(entries, champion, decayed=True, fault="broken" if fault else None)
            entries.append(looked(place, champion, decayed=True, upstream_fault="broken" if fault else None))
            if not fault:
                decayed.add(champion)
            if found.version is not None:
                assert not fault
                assert found.version not in decayed
                assert since_promotion == 0
                entries.append(wrote(place, "healed", found.version, dag="churn.monitor"))
                entries.append(
                    wrote(place, "reversed", found.version, dag="churn.monitor", previous=champion)
                )
                champion, since_promotion = found.version, since_promotion + 1
