"""Scores of windows: in the ledger and back, and what is asked of many."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlops.core.detectors import Batch
from airflow_mlops.core.label_arrival import Arrived, end_of_wait
from airflow_mlops.core.label_standing import label_standing
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Estimate
from airflow_mlops.core.window_scores import (
    WindowScore,
    label_watermark,
    lag_model_of,
    latest_scores,
    looks,
)
from airflow_mlops.core.windows import Period, Window

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
WAIT = Period.parse("30 days")


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def score(last: int, labels: int, *, at: float | None = None, answers: int = 100) -> WindowScore:
    """Of the day before ``last``."""
    return WindowScore(
        window=Window(day(last - 1), day(last)),
        version="3",
        at=day(last if at is None else at),
        metric="roc_auc",
        outcome="inconclusive",
        answers=answers,
        labels=labels,
    )


def entry(one: WindowScore, kind="monitored", **data) -> Entry:
    return Entry(
        "churn", kind, one.window.end.isoformat(), one.at, "churn.monitor", one.at.isoformat(),
        version=one.version, window=one.window, data={"score": json.loads(json.dumps(one.to_json())), **data},
    )  # fmt: skip


def test_a_score_comes_back_from_the_ledger_as_it_was() -> None:
    whole = replace(
        score(1, 60),
        outcome="fail",
        observed=Estimate(0.61, 0.58, 0.64),
        promise=Estimate(0.7, 0.68, float("inf")),
        estimated=Estimate(0.69, 0.66, 0.72),
        losses=(Batch(day(0), 0.2, 40), Batch(day(0.5), 0.25, 20)),
        landed={86_400: 60},
        waiting={3_600: 40},
        judged=True,
    )
    assert WindowScore.of_entry(entry(whole)) == whole
    assert (whole.decayed, whole.coverage) == (True, 0.6)
    json.dumps(whole.to_json(), allow_nan=False)


def test_the_last_score_of_a_window_is_what_is_known_of_it() -> None:
    first, again = score(1, 10), score(1, 90, at=5)
    other = score(2, 20)
    entries = [entry(again, "rescored"), entry(other), entry(first)]
    assert latest_scores(entries) == [again, other]
    assert looks(entries)[day(1)] == [first, again]


def test_entries_of_other_kinds_and_of_older_releases_have_no_score() -> None:
    bare = replace(entry(score(1, 1)), data={"drifted": True})
    assert latest_scores([bare, entry(score(1, 1), "promoted")]) == []


def test_labels_are_complete_up_to_the_first_window_that_waits() -> None:
    known = [score(1, 100), score(2, 96), score(3, 50), score(4, 100)]
    assert label_watermark(known, day(5), coverage=0.95, deadline=WAIT) == day(2)
    # By day 33 the third has waited long enough.
    assert label_watermark(known, day(33), coverage=0.95, deadline=WAIT) == day(4)
    assert label_watermark(known[2:], day(5), coverage=0.95, deadline=WAIT) is None


def test_a_window_without_an_answer_of_the_champion_holds_up_no_watermark() -> None:
    known = [score(1, 100), score(2, 0, answers=0), score(3, 100)]
    assert label_watermark(known, day(5), coverage=0.95, deadline=WAIT) == day(3)


def test_without_times_of_arrival_the_lag_is_learnt_from_one_look_to_the_next() -> None:
    windows = [[score(1, 0), score(1, 40, at=3), score(1, 80, at=8)], [score(2, 0), score(2, 40, at=4)]]
    model = lag_model_of(windows)
    assert model.landed_by(timedelta(days=3)) == pytest.approx(0.4)
    assert model.landed_by(timedelta(days=10)) == pytest.approx(0.8)


def test_what_is_usual_is_learnt_from_other_windows_only() -> None:
    alone = label_standing({day(1): [score(1, 30)]}, score(1, 30), coverage=0.9, deadline=WAIT)
    assert (alone.expected, alone.usual_wait, alone.warning) == (None, None, None)
    earlier = [replace(score(1, 100), landed={3_600: 100}, waiting={})]
    windows = {day(1): earlier, day(2): [score(2, 3, at=3)]}
    late = label_standing(windows, score(2, 3, at=3), coverage=0.9, deadline=WAIT)
    assert late.expected == pytest.approx(1.0)
    assert late.usual_wait == timedelta(hours=1)
    assert late.warning is not None
    assert "3% of the answers have one, 100% usually do" in late.warning


@pytest.mark.parametrize(
    ("labels", "at", "said"),
    [(90, 0.5, None), (89, 2, None), (90, 2, "reached"), (89, 31, "deadline"), (90, 31, "reached")],
)
def test_the_wait_ends_with_enough_labels_or_at_the_deadline(labels, at, said) -> None:
    arrived = Arrived(Window(day(0), day(1)), 100, labels)
    assert end_of_wait(arrived, day(at), coverage=0.9, deadline=WAIT) == said


def test_nothing_is_waited_for_where_nothing_was_asked() -> None:
    arrived = Arrived(Window(day(0), day(1)), 0, 0)
    assert end_of_wait(arrived, day(0.5), coverage=0.9, deadline=WAIT) is None
    assert end_of_wait(arrived, day(1), coverage=0.9, deadline=WAIT) == "reached"
