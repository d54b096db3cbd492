"""When a champion is too old, and how often that is a cause."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.model_age import age_cause
from airflow_mlops.core.windows import Period, Window

TRAINED = datetime(2026, 1, 31, tzinfo=timezone.utc)
MONTH = Period.parse("30 days")


def ledger(version: str = "3", *, registered: bool = True) -> list[Entry]:
    window = Window(TRAINED - timedelta(days=90), TRAINED)
    entries = [Entry("churn", "promoted", version, TRAINED + timedelta(days=5), "churn.deploy", "r1")]
    if registered:
        entries.append(Entry("churn", "registered", version, TRAINED, "churn.train", "r1", window=window))
    return entries


def at(days: float) -> datetime:
    return TRAINED + timedelta(days=days)


def test_age_counts_from_the_end_of_the_rows_that_the_champion_learned_from() -> None:
    assert age_cause(ledger(), MONTH, at(29.9)) is None
    found = age_cause(ledger(), MONTH, at(30))
    assert found is not None
    assert (found.version, found.subject) == ("3", "age of version 3: 1 x 30 days")
    assert found.reasons == (
        "champion 3 has learned from rows up to 2026-01-31, 30.0 days ago; 30 days is its limit",
    )
    assert found.scores == {"age_days": 30.0}


def test_a_champion_that_stays_is_a_cause_again_when_another_age_has_passed_and_not_before() -> None:
    subjects = [found.subject for days in range(25, 95) if (found := age_cause(ledger(), MONTH, at(days)))]
    assert list(dict.fromkeys(subjects)) == [f"age of version 3: {times} x 30 days" for times in (1, 2, 3)]


def test_months_are_those_of_the_calendar() -> None:
    month = Period.parse("1 month")
    assert age_cause(ledger(), month, datetime(2026, 2, 27, tzinfo=timezone.utc)) is None
    third = age_cause(ledger(), month, datetime(2026, 4, 30, tzinfo=timezone.utc))
    assert third is not None
    assert third.subject == "age of version 3: 3 x 1 month"


def test_without_its_training_in_the_ledger_age_counts_from_the_promotion() -> None:
    assert age_cause(ledger(registered=False), MONTH, at(34.9)) is None
    assert age_cause(ledger(registered=False), MONTH, at(35)) is not None


def test_a_model_without_a_champion_has_no_age() -> None:
    assert age_cause([], MONTH, at(500)) is None
    assert age_cause(ledger(), MONTH, TRAINED - timedelta(days=1)) is None
