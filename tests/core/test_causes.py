"""What is pending for a consumer, by the ledger alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_mlops.core.causes import (
    CauseEvent,
    FoundCause,
    Taker,
    cause_data,
    claim_id,
    claim_of,
    found_subject,
    held_by,
    known_causes,
    pending_causes,
)
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_age import age_cause, is_of_age
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
ALL: Any = ("drift", "decay", "retrain")


def found(day: int, cause: FoundCause = "drift", *, run: str = "r1", version: str = "3") -> Entry:
    window = Window(START + timedelta(days=day - 1), START + timedelta(days=day))
    event = CauseEvent(
        model="churn",
        cause=cause,
        subject=found_subject(cause, version, window),
        at=window.end,
        window=window,
        version=version,
        reports=(f"file:///{day}.html",),
        features=("age",),
        scores={"age": 0.4},
        reasons=(f"age moved on day {day}",),
    )
    return Entry(
        "churn", "cause_found", event.subject, event.at, "churn.monitor", run,
        version=version, reasons=event.reasons, evidence=event.reports, window=window, data=cause_data(event),
    )  # fmt: skip


def asked(subject: str, hour: int = 0) -> Entry:
    return Entry(
        "churn", "retrain_requested", subject, START + timedelta(hours=hour), "churn.monitor", "r1",
        reasons=("drift in 2 of 3 windows",), data={"cause": "drift"},
    )  # fmt: skip


def taken(event: CauseEvent, consumer: str = "mine", run: str = "run 1") -> Entry:
    return claim_of(event, Taker(consumer, consumer, run, START))


def test_a_cause_comes_back_from_the_ledger_with_report_features_window_and_scores() -> None:
    (event,) = known_causes([found(2)], ALL)
    assert event == CauseEvent(
        model="churn",
        cause="drift",
        subject="drift of version 3 in 2026-03-02T00:00:00+00:00/2026-03-03T00:00:00+00:00",
        at=START + timedelta(days=2),
        window=Window(START + timedelta(days=1), START + timedelta(days=2)),
        version="3",
        reports=("file:///2.html",),
        features=("age",),
        scores={"age": 0.4},
        reasons=("age moved on day 2",),
    )


def test_what_is_found_twice_in_one_window_is_one_cause_and_another_version_is_another() -> None:
    entries = [found(1), found(1, run="by hand"), found(1, version="4"), found(1, "decay")]
    subjects = [event.subject for event in known_causes(entries, ALL)]
    assert len(subjects) == len(set(subjects)) == 3


def test_each_consumer_takes_each_cause_once_oldest_first() -> None:
    entries = [found(2), found(1), found(3, "decay")]
    first, second, third = known_causes(entries, ALL)
    assert [event.window.end.day for event in (first, second, third) if event.window] == [2, 3, 4]
    assert pending_causes(entries, ["drift"], "mine") == [first, second]
    entries.append(taken(first))
    assert pending_causes(entries, ["drift", "decay"], "mine") == [second, third]
    assert pending_causes(entries, ["drift"], "another") == [first, second]


def test_a_request_to_retrain_has_one_taker_in_all() -> None:
    entries = [asked("q1"), asked("q2", 1), found(1)]
    first, second = pending_causes(entries, ["retrain"], "mine")
    assert (first.subject, first.reasons) == ("q1", ("drift in 2 of 3 windows",))
    entries.append(taken(first, "another"))
    assert pending_causes(entries, ["retrain"], "mine") == [second]
    # And so does the model's own train DAG, by the same claim.
    entries.append(Entry("churn", "retrain_taken", "q2", START, "churn.train", "x"))
    assert pending_causes(entries, ["retrain"], "mine") == []


def test_a_claim_has_one_id_whichever_run_of_the_consumer_makes_it() -> None:
    (event,) = known_causes([found(1)], ALL)
    assert taken(event, run="a").id == taken(event, run="b").id
    assert taken(event).id != taken(event, "another").id


@pytest.mark.parametrize(
    ("dag", "run", "limit", "found"),
    [
        ("mine", "run 1", "30 days", True),
        ("mine", "run 1", "60 days", False),  # another sensor of the DAG
        ("mine", "run 2", "30 days", False),
        ("another", "run 1", "30 days", False),  # runs of two DAGs may have one id
    ],
)
def test_a_sensor_finds_again_what_itself_has_taken_and_nothing_else(
    dag: str, run: str, limit: str, found: bool
) -> None:
    promoted = Entry("churn", "promoted", "3", START, "churn.deploy", "d1")
    age = Period.parse("30 days")
    event = age_cause([promoted], age, START + timedelta(days=70))
    assert event is not None
    claims = [taken(event)]
    held = held_by(
        claims, "age", Taker(dag, dag, run, START), lambda one: is_of_age(one, Period.parse(limit))
    )
    assert held == (event if found else None)
    other = age_cause([promoted], Period.parse("60 days"), START + timedelta(days=70))
    assert other is not None
    assert claim_id(other, "mine") not in {claim.id for claim in claims}


def test_what_was_found_before_a_moment_is_left_out() -> None:
    entries = [found(1), found(5)]
    assert len(pending_causes(entries, ["drift"], "mine", START + timedelta(days=5))) == 1
    assert len(pending_causes(entries, ["drift"], "mine", START + timedelta(days=6))) == 0


@pytest.mark.parametrize("scores", [{"age": None}, {}])
def test_a_score_that_was_no_number_is_left_out(scores: dict[str, Any]) -> None:
    entry = found(1)
    entry = replace(entry, data={**entry.data, "scores": scores})
    (event,) = known_causes([entry], ALL)
    assert event.scores == {}
