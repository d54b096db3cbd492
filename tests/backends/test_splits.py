"""The rows of each fold, on frames whose right answer can be seen, and the interval of their mean."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.splits import Fold, mean_of_folds, split_rows
from airflow_mlops.core.folds import Folds, FoldScore
from airflow_mlops.core.values import Estimate
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import DataRefused

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
KINDS = [Folds("time"), Folds("rolling_origin", 4), Folds("k_fold", 4)]


def made_up(days: int = 30, per_day: int = 10, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = days * per_day
    return pd.DataFrame(
        {
            "at": [START + timedelta(days=number // per_day) for number in range(count)],
            "late": rng.integers(0, 10, count) == 0,
            "person": [None if number % 11 == 0 else int(rng.integers(0, 150)) for number in range(count)],
        }
    )


def folds_of(rows: pd.DataFrame, folds: Folds, **more: object) -> list[Fold]:
    return split_rows(rows, folds, time_column="at", label="late", **more)  # type: ignore[arg-type]


def days(rows: pd.DataFrame, positions: np.ndarray) -> tuple[int, int]:
    found = (rows["at"].iloc[positions] - pd.Timestamp(START)).dt.days
    return int(found.min()), int(found.max())


def test_the_newest_fifth_is_judged_by_all_before_it() -> None:
    rows = made_up()
    (fold,) = folds_of(rows, Folds("time"))
    assert (days(rows, fold.train), days(rows, fold.test)) == ((0, 23), (24, 29))
    assert fold.name == "fold 1 of 1, 2024-01-25 to 2024-01-30"


def test_an_origin_rolls_through_the_rows() -> None:
    rows = made_up()
    found = folds_of(rows, Folds("rolling_origin", 4))
    assert [(days(rows, fold.train), days(rows, fold.test)) for fold in found] == [
        ((0, 5), (6, 11)),
        ((0, 11), (12, 17)),
        ((0, 17), (18, 23)),
        ((0, 23), (24, 29)),
    ]


def test_slices_have_the_length_that_is_asked_for_and_a_gap_before_them() -> None:
    rows = made_up()
    found = folds_of(rows, Folds("rolling_origin", 2, Period(seconds=5 * 86_400), Period(seconds=3 * 86_400)))
    assert [(days(rows, fold.train), days(rows, fold.test)) for fold in found] == [
        ((0, 16), (20, 24)),
        ((0, 21), (25, 29)),
    ]


def test_rows_of_one_moment_are_on_one_side() -> None:
    rows = made_up(days=7, per_day=31)
    for fold in folds_of(rows, Folds("rolling_origin", 3)):
        assert not set(rows["at"].iloc[fold.train]) & set(rows["at"].iloc[fold.test])
        assert days(rows, fold.train)[1] < days(rows, fold.test)[0]


@pytest.mark.parametrize("folds", KINDS, ids=lambda folds: folds.kind)
def test_no_group_is_on_both_sides_and_no_row_is_used_twice(folds: Folds) -> None:
    rows = made_up()
    for fold in folds_of(rows, folds, group="person"):
        train, test = rows.iloc[fold.train], rows.iloc[fold.test]
        assert not set(train["person"].dropna()) & set(test["person"].dropna())
        assert not set(fold.train) & set(fold.test)
        assert len(train) > 40


@pytest.mark.parametrize("group", [None, "person"])
@pytest.mark.parametrize("classes", [True, False])
def test_every_row_is_judged_once_by_k_folds(classes: bool, group: str | None) -> None:
    rows = made_up()
    found = folds_of(rows, Folds("k_fold", 4), group=group, classes=classes)
    assert sorted(np.concatenate([fold.test for fold in found])) == list(range(len(rows)))
    assert all(len(fold.train) + len(fold.test) == len(rows) for fold in found)
    again = folds_of(rows, Folds("k_fold", 4), group=group, classes=classes)
    assert all((one.test == two.test).all() for one, two in zip(found, again, strict=True))
    other = folds_of(rows, Folds("k_fold", 4), group=group, classes=classes, seed=1)
    assert any(set(one.test) != set(two.test) for one, two in zip(found, other, strict=True))


def test_very_many_groups_are_drawn_in_good_time() -> None:
    count = 200_000
    rows = pd.DataFrame({"at": START, "late": np.arange(count) % 7 == 0, "person": np.arange(count) // 2})
    started = time.process_time()
    shares = [
        rows["late"].iloc[fold.test].mean() for fold in folds_of(rows, Folds("k_fold", 5), group="person")
    ]
    assert time.process_time() - started < 10
    assert max(shares) - min(shares) < 0.02


def test_classes_have_equal_shares_in_k_folds() -> None:
    rows = made_up()
    shares = [rows["late"].iloc[fold.test].mean() for fold in folds_of(rows, Folds("k_fold", 5))]
    assert max(shares) - min(shares) < 0.02


def test_rows_without_a_group_do_not_hang_together() -> None:
    rows = made_up().assign(person=None)
    found = folds_of(rows, Folds("k_fold", 4), group="person")
    assert {len(fold.test) for fold in found} == {75}


@pytest.mark.parametrize(
    ("rows", "folds", "told"),
    [
        (made_up(1), Folds("time"), "fold 1 of 1, 2024-01-01 to .* has no rows to train on"),
        (made_up(), Folds("time", gap=Period(months=2)), "fold 1 of 1, .* has no rows to train on"),
        (made_up(), Folds("rolling_origin", 5, Period(months=1)), "5 folds of 1 month leave nothing"),
        (made_up(1, 3), Folds("k_fold", 4), "4 folds cannot be drawn from 3 rows"),
    ],
    ids=["one moment", "gap", "length", "rows"],
)
def test_what_cannot_be_split_is_refused(rows: pd.DataFrame, folds: Folds, told: str) -> None:
    with pytest.raises(DataRefused, match=told):
        folds_of(rows, folds)


def test_more_folds_than_groups_are_refused() -> None:
    rows = made_up().assign(person=lambda rows: rows.index % 3)
    with pytest.raises(DataRefused, match="4 folds cannot be drawn from 300 rows"):
        folds_of(rows, Folds("k_fold", 4), group="person", classes=False)


def scores(values: list[float]) -> list[FoldScore]:
    return [
        FoldScore(f"fold {number}", 80, 20, {"auc": Estimate(value, value, value)})
        for number, value in enumerate(values)
    ]


def test_the_interval_of_the_mean_counts_the_rows_that_the_folds_share() -> None:
    """By hand: mean 0.8, s^2 = 0.0004; (1/4 + 20/80) s^2 = 0.0002, t(0.975, 3) = 3.182446."""
    found = mean_of_folds(scores([0.78, 0.8, 0.8, 0.82]), 0.95)["auc"]
    variance = (0.02**2 + 0.02**2) / 3
    margin = 3.182446305 * (0.5 * variance) ** 0.5
    assert found.value == pytest.approx(0.8)
    assert (found.low, found.high) == pytest.approx((0.8 - margin, 0.8 + margin), abs=1e-9)


def test_a_fold_with_a_problem_is_no_part_of_the_mean_and_one_fold_speaks_for_itself() -> None:
    broken = FoldScore("fold 9", 80, 20, problem="one class")
    assert mean_of_folds([broken], 0.95) == {}
    one = FoldScore("fold 1", 80, 20, {"auc": Estimate(0.8, 0.7, 0.9)})
    assert mean_of_folds([one, broken], 0.95)["auc"] == Estimate(0.8, 0.7, 0.9)
    three = mean_of_folds([*scores([0.7, 0.8]), broken], 0.95)["auc"]
    assert three.value == pytest.approx(0.75)
