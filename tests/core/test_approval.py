"""Whose answer counts, and when evidence is too old to act on."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.approval import Answer, initiators, objection
from airflow_mlops.core.evidence import expired
from airflow_mlops.core.ledger import Entry, EntryKind

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def written(kind: EntryKind, subject: str, actor: str) -> Entry:
    return Entry("churn", kind, subject, NOON, "churn.train", "r1", actor=actor)


def test_behind_a_model_are_those_who_started_its_training_its_rollout_or_let_it_through() -> None:
    entries = [
        written("gated", "run-2", "ada"),
        written("overridden", "run-2", "grace"),
        written("registered", "2", "ada"),
        written("approved", "2", "barbara"),
        written("registered", "1", "linus"),
        written("gated", "run-1", "linus"),
    ]
    found = initiators(entries, training_run="run-2", version="2", triggered_by="edsger")
    assert found == {"ada", "grace", "edsger"}
    assert initiators(entries[3:], training_run="run-2", version="2", triggered_by="airflow") == frozenset()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(True, "ada", "good"), "ada had a hand in this"),
        (Answer(True, "Ada Lovelace", "good", person_id="ADA"), "Ada Lovelace had a hand in this"),
        (Answer(False, "ada", "bad"), None),
        (Answer(True, "grace"), None),
        (Answer(False, "grace", " "), "grace gave no reason"),
        (Answer(False, None), None),
    ],
)
def test_an_answer_counts_or_there_is_a_reason(answer: Answer, said: str | None) -> None:
    found = objection(answer, initiators={"ada"}, needs_reason={False})
    assert (found is None) if said is None else (found or "").startswith(said)


def test_evidence_expires_after_the_period_and_unknown_evidence_at_once() -> None:
    judged = NOON - timedelta(days=7)
    assert expired(judged, NOON, None) is None
    assert expired(judged, NOON - timedelta(seconds=1), "7 days") is None
    assert "its evaluation of 2026-02-22 12:00 UTC is older" in (expired(judged, NOON, "7 days") or "")
    assert expired(None, NOON, None) is None
    assert "nobody knows when" in (expired(None, NOON, "7 days") or "")
