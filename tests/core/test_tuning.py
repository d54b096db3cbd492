"""What a search may spend, which trial is the best, and when an earlier answer still holds."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.tuning import (
    Budget,
    Choices,
    FloatRange,
    IntRange,
    Trial,
    best,
    busy_seconds,
    earlier_search,
    first_reasons,
)
from airflow_mlops.core.windows import Window

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def trial(number: int, state="complete", folds=(0.5,), start=0.0, end=1.0, reason="") -> Trial:
    ended = None if end is None else at(end)
    return Trial(number, state, {"x": number}, tuple(folds), reason, at(start), ended)


def test_time_in_which_nothing_was_tried_is_not_spent():
    two_at_once = [trial(0, start=0, end=10), trial(1, start=5, end=20)]
    after_a_night = trial(2, start=40_000, end=40_007)
    assert busy_seconds([after_a_night, *two_at_once], at(50_000)) == 27
    assert busy_seconds([trial(0, start=0, end=100), trial(1, start=10, end=20)], NOON) == 100


def test_a_trial_that_runs_spends_time_until_now():
    assert busy_seconds([trial(0, "running", start=0, end=None)], at(30)) == 30
    assert busy_seconds([], NOON) == 0


def test_trials_that_were_lost_with_their_worker_are_not_counted():
    tried = [trial(0), trial(1, "lost"), trial(2, "failed"), trial(3, "pruned"), trial(4, "running")]
    assert Budget(5).spent(tried, NOON) is None
    assert Budget(4).spent(tried, NOON) == "all 4 trials have begun"


def test_minutes_end_a_search_before_its_trials_do():
    assert Budget(100, seconds=60).spent([trial(0, end=59)], at(59)) is None
    assert Budget(100, seconds=60).spent([trial(0, end=60)], at(60)) == "its time is over"


def test_the_best_is_complete_and_of_equals_the_earliest():
    tried = [
        trial(0, folds=[0.6, 0.8]),
        trial(1, folds=[0.7]),
        trial(2, "pruned", folds=[0.9]),
        trial(3, folds=[0.1]),
    ]
    assert best(tried, maximize=True).number in (0, 1)
    assert best([trial(4, folds=[0.5]), trial(2, folds=[0.5])], maximize=True).number == 2
    assert best(tried, maximize=False).number == 3
    assert best([trial(0, "failed"), trial(1, folds=[math.nan])], maximize=True) is None


def test_reasons_are_told_once_each():
    failed = [trial(n, "failed", reason="no such solver" if n % 2 else "too deep") for n in range(6)]
    assert first_reasons(failed) == ["trial 0: too deep", "trial 1: no such solver"]


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        (FloatRange(0.1, 1.0), [0.1, 1, 0.55], [0.05, 1.1, "a", True, None]),
        (FloatRange(0.0, 1.0, step=0.25), [0.0, 0.25, 1.0], [0.3]),
        (IntRange(2, 10, step=4), [2, 6, 10], [3, 12, 2.0, True]),
        (Choices((1, "a", None, [64, 32])), [1, "a", None, [64, 32]], [True, "1", [64]]),
    ],
)
def test_a_space_knows_what_lies_in_it(values, inside, outside):
    assert all(value in values for value in inside)
    assert not any(value in values for value in outside)


def tuned(day: int, question: str = "q", holdout_day: int | None = None) -> Entry:
    end = NOON + timedelta(days=day)
    holdout = NOON + timedelta(days=day - 5 if holdout_day is None else holdout_day)
    return Entry(
        model="rain", kind="tuned", subject=f"s{day}", at=NOON, dag_id="rain.train", run_id=f"r{day}",
        window=Window(end - timedelta(days=60), end),
        data={"question": question, "params": {"x": day}, "holdout_start": holdout.isoformat()},
    )  # fmt: skip


def asked(*entries: Entry, day: int, every: str = "30 days", question: str = "q"):
    end = NOON + timedelta(days=day)
    return earlier_search(
        entries,
        question=question,
        every=every,
        window=Window(end - timedelta(days=60), end),
        holdout_start=end - timedelta(days=5),
    )


def test_the_newest_answer_to_the_same_question_holds_until_it_is_too_old():
    found = asked(tuned(0), tuned(10), tuned(20, question="other"), day=30)
    assert found is not None
    assert (dict(found.params), found.age_days) == ({"x": 10}, 20)
    assert asked(tuned(0), day=30) is None
    assert asked(tuned(0), day=29) is not None


def test_an_answer_found_on_rows_that_this_run_holds_out_is_not_used():
    assert asked(tuned(20), day=10) is None, "a backfill of an older window"
    assert asked(tuned(10, holdout_day=9), day=10) is None, "a search whose training rows reach further"
    assert asked(tuned(10), day=10) is not None
