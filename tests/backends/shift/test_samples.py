"""What a version answered, and what pages and tables make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.backends.shift.pictures import OTHERS, picture
from airflow_mlops.backends.shift.samples import answered, own_rows
from airflow_mlops.backends.shift.slices import MISSING, slice_rows


@pytest.fixture
def whole():
    count = 20_000
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "key": [f"k{number}" for number in range(count)],
            "version": rng.choice(["1", "2"], count),
            "age": np.arange(count, dtype="float64"),
            "plan": rng.choice(["free", "pro"], count),
            "prediction": np.where(np.arange(count) % 10 == 0, np.nan, np.arange(count)),
        }
    )


@pytest.fixture
def window(whole, tmp_path):
    whole.to_parquet(tmp_path / "window.parquet", row_group_size=3_000)
    return ParquetRows("window's", (tmp_path / "window.parquet",))


def test_own_rows_are_those_that_the_version_answered_with_a_number(whole, window) -> None:
    own = whole[(whole["version"] == "2") & whole["prediction"].notna()]
    found = own_rows(window, "2", ["age", "plan", "not logged"], 300)
    assert found.rows == len(own)
    assert found.served.tolist() == own["prediction"].tolist()
    assert list(found.sample.columns) == ["age", "plan", "prediction"]
    assert (len(found.sample), set(found.sample["age"]) <= set(own["age"])) == (300, True)
    assert found.sample["age"].mean() == pytest.approx(10_000, rel=0.15)
    pd.testing.assert_frame_equal(found.sample, own_rows(window, "2", ["age", "plan"], 300).sample)


def test_a_version_that_answered_nothing_has_no_rows(window) -> None:
    assert own_rows(window, "3", ["age"], 300).rows == 0


def test_the_keys_that_a_version_answered_are_found(whole, window) -> None:
    version = whole.loc[5, "version"]
    found = answered(window, version, "key", pd.Series(["k5", "nobody", "k7", "k5"]))
    assert found.tolist() == [True, False, bool(whole.loc[7, "version"] == version), True]


def test_a_picture_has_both_sides_in_the_same_bins_and_missing_values_beside_them() -> None:
    before, now = pd.Series([1.0, 2.0, 3.0, np.nan]), pd.Series([3.0, 3.0])
    drawn_ = picture("age", "numeric", before, now)
    assert sum(drawn_.before) == pytest.approx(0.75)
    assert (drawn_.missing, drawn_.low, drawn_.high) == ((0.25, 0.0), 1.0, 3.0)
    assert drawn_.after[-1] == 1.0


def test_a_picture_of_categories_shows_the_most_frequent_of_both_sides() -> None:
    before = pd.Series([f"v{number}" for number in range(20)])
    drawn_ = picture("plan", "categorical", before, pd.Series(["new"] * 10 + [None] * 10))
    assert (drawn_.names[0], drawn_.names[-1]) == ("new", OTHERS)
    assert sum(drawn_.before) == pytest.approx(1.0)
    assert drawn_.missing == (0.0, 0.5)
    assert picture("note", "text", before, before) is None
    assert picture("age", "numeric", pd.Series([np.nan]), pd.Series([np.nan])) is None


def test_slices_are_values_or_fifths_and_count_every_row() -> None:
    rng = np.random.default_rng(0)
    ages, plans = pd.Series(rng.normal(size=1_000)), pd.Series(["free", None] * 500)
    scores = rng.uniform(size=1_000)
    before, now = slice_rows([("numeric", ages, ages + 1)], scores, scores)
    assert len(before) == 5
    both = [before[name].rows + now[name].rows for name in before]
    assert both == pytest.approx([400] * 5, abs=12)
    assert sum(one.total for one in now.values()) == pytest.approx(scores.sum())
    before, now = slice_rows([("categorical", plans, plans)], scores, scores)
    assert {name: one.rows for name, one in before.items()} == {"free": 500, MISSING: 500}
    assert slice_rows([("text", plans, plans)], scores, scores) is None


def test_numbers_with_few_values_are_slices_by_value() -> None:
    days = pd.Series([0.0, 1.0, 6.0, np.nan])
    before, _ = slice_rows([("numeric", days, days)], np.ones(4), np.ones(4))
    assert set(before) == {"0", "1", "6", MISSING}


def test_crossed_columns_are_slices_of_both() -> None:
    plans, days = pd.Series(["free", "pro", None]), pd.Series([0.0, 1.0, 1.0])
    columns = [("categorical", plans, plans), ("numeric", days, days)]
    before, _ = slice_rows(columns, np.ones(3), np.ones(3))
    assert set(before) == {"free and 0", "pro and 1", f"{MISSING} and 1"}
