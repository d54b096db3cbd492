"""Folds by time, said without any rows."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mlops.core.folds import Folds
from airflow_mlops.core.windows import Period

START, END = datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2024, 7, 1, tzinfo=timezone.utc)


def test_slices_follow_one_another_up_to_the_end() -> None:
    windows = Folds("rolling_origin", 3, Period(months=1)).windows(START, END)
    assert [str(window) for window in windows] == [
        "2024-04-01 to 2024-05-01",
        "2024-05-01 to 2024-06-01",
        "2024-06-01 to 2024-07-01",
    ]


def test_time_is_one_fold_whatever_number_is_given() -> None:
    folds = Folds("time", 5, Period(months=1))
    assert folds.count == 1
    assert [str(window) for window in folds.windows(START, END)] == ["2024-06-01 to 2024-07-01"]


def test_slices_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValueError, match=r"6 folds of 1 month leave nothing of 2024-01-01 to 2024-07-01"):
        Folds("rolling_origin", 6, Period(months=1)).windows(START, END)
    assert len(Folds("rolling_origin", 5, Period(months=1)).windows(START, END)) == 5
