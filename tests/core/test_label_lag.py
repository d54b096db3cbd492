"""How long labels take, from those that are there and those that are not yet."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from airflow_mlops.core.label_lag import EDGES, counted, lag_model, merged
from airflow_mlops.core.windows import Window

DAY = 86_400


def test_where_everything_has_landed_the_model_is_the_plain_share() -> None:
    model = lag_model(counted([DAY] * 30 + [2 * DAY] * 50 + [3 * DAY] * 20), {})
    assert model.landed_by(timedelta(days=1)) == pytest.approx(0.3)
    assert model.landed_by(timedelta(days=2)) == pytest.approx(0.8)
    assert model.landed_by(timedelta(days=30)) == pytest.approx(1.0)
    assert model.age_of(0.8) == timedelta(days=2)
    assert model.landed_by(timedelta(days=1.5)) == pytest.approx(0.55)
    assert model.landed_by(timedelta(0)) == 0.0


def test_lags_that_could_not_have_been_seen_yet_do_not_make_labels_look_fast() -> None:
    """Exponential lags of ten days on average, of answers that are at most ten days old."""
    random = Random(0)
    landed, waiting = [], []
    for _ in range(20_000):
        age, lag = random.uniform(0, 10 * DAY), random.expovariate(1 / (10 * DAY))
        (landed if lag <= age else waiting).append(min(lag, age))
    model = lag_model(counted(landed), counted(waiting))
    naive = sum(lag <= 5 * DAY for lag in landed) / len(landed)
    truth = 1 - 2.718281828 ** (-0.5)  # 0.393 by five days
    assert model.landed_by(timedelta(days=5)) == pytest.approx(truth, abs=0.02)
    assert naive > truth + 0.3


def test_the_estimate_is_kaplan_and_meiers_up_to_its_classes() -> None:
    random = Random(1)
    times, there = [], []
    for _ in range(4_000):
        age, lag = random.uniform(0, 40 * DAY), random.lognormvariate(13.5, 0.8)
        times.append(min(lag, age))
        there.append(lag <= age)
    ours = lag_model(
        counted(time for time, seen in zip(times, there, strict=True) if seen),
        counted(time for time, seen in zip(times, there, strict=True) if not seen),
    )
    theirs = SurvfuncRight(times, there)
    for days in (2, 5, 7, 14, 28):
        known = [
            share
            for time, share in zip(theirs.surv_times, theirs.surv_prob, strict=True)
            if time <= days * DAY
        ]
        assert ours.landed_by(timedelta(days=days)) == pytest.approx(1 - known[-1], abs=0.015)


def test_answers_that_never_get_a_label_keep_the_share_below_one() -> None:
    model = lag_model(counted([DAY] * 60), counted([300 * DAY] * 40))
    assert model.landed_by(timedelta(days=200)) == pytest.approx(0.6)
    assert model.age_of(0.9) is None


def test_a_windows_share_is_that_of_answers_spread_over_it() -> None:
    model = lag_model(counted([5 * DAY] * 100), {})
    end = datetime(2026, 1, 11, tzinfo=timezone.utc)
    window = Window(end - timedelta(days=10), end)
    assert model.expected(window, end) == pytest.approx(0.55, abs=0.06)  # the older half, and a little
    assert model.expected(window, end + timedelta(days=6)) == pytest.approx(1.0)
    assert lag_model({}, {}).expected(window, end) == 0.0


def test_lags_are_counted_in_classes_and_odd_ones_have_a_place() -> None:
    assert counted([-5.0, 1.0, 61.0, DAY, DAY + 1, 1e12]) == {60: 2, 300: 1, DAY: 1, 2 * DAY: 1, EDGES[-1]: 1}
    assert merged([{60: 1, DAY: 2}, {DAY: 3}, {70: 1}]) == {60: 1, DAY: 5, 300: 1}
