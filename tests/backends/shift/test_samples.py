"""Bounded samples of Parquet objects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.shift.pictures import OTHERS, picture
from airflow_mlops.backends.shift.samples import answered, columns_of, drawn, own_rows
from airflow_mlops.backends.shift.slices import MISSING, slice_rows
from airflow_mlops.exceptions import DataRefused


@pytest.fixture
def path(tmp_path):
    count = 200_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "key": [f"k{number}" for number in range(count)],
            "version": rng.choice(["1", "2"], count),
            "age": np.arange(count, dtype="float64"),
            "plan": rng.choice(["free", "pro"], count),
            "prediction": np.where(np.arange(count) % 10 == 0, np.nan, np.arange(count)),
        }
    )
    file = tmp_path / "window.parquet"
    frame.to_parquet(file, row_group_size=30_000)
    return file


def test_a_sample_is_spread_over_the_whole_file_and_the_same_each_time(path) -> None:
    sample = drawn(path, ["age", "plan"], 500, 0)
    assert list(sample.columns) == ["age", "plan"]
    assert len(sample) == 500
    assert sample["age"].mean() == pytest.approx(100_000, rel=0.1)
    assert sample["age"].is_monotonic_increasing
    pd.testing.assert_frame_equal(sample, drawn(path, ["age", "plan"], 500, 0))


def test_a_file_smaller_than_the_sample_comes_whole(path) -> None:
    assert len(drawn(path, ["age"], 1_000_000, 0)) == 200_000


def test_own_rows_are_those_that_the_version_answered_with_a_number(path) -> None:
    whole = pd.read_parquet(path)
    own = whole[(whole["version"] == "2") & whole["prediction"].notna()]
    found = own_rows(path, "2", ["age", "plan"], 300, 0)
    assert found.rows == len(own)
    assert found.served.tolist() == own["prediction"].tolist()
    assert list(found.sample.columns) == ["age", "plan", "prediction"]
    assert set(found.sample["age"]) <= set(own["age"])
    assert own_rows(path, "3", ["age"], 300, 0).rows == 0


def test_the_keys_that_a_version_answered_are_found(path) -> None:
    whole = pd.read_parquet(path)
    keys = pd.Series(["k5", "nobody", "k7", "k7"])
    version = whole.loc[5, "version"]
    found = answered(path, version, keys)
    assert found.tolist() == [True, False, bool(whole.loc[7, "version"] == version), False]


def test_a_file_that_is_no_parquet_is_named(tmp_path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet at all")
    for read in (columns_of, lambda file: drawn(file, ["age"], 5, 0)):
        with pytest.raises(DataRefused, match=r"broken\.parquet cannot be read"):
            read(broken)


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
    before, now = slice_rows("numeric", (ages, scores), (ages + 1, scores))
    assert len(before) == 5
    assert [one.rows for one in before.values()] == pytest.approx([200] * 5, abs=1)
    assert sum(one.total for one in now.values()) == pytest.approx(scores.sum())
    before, now = slice_rows("categorical", (plans, scores), (plans, scores))
    assert {name: one.rows for name, one in before.items()} == {"free": 500, MISSING: 500}
    assert slice_rows("text", (plans, scores), (plans, scores)) is None


def test_numbers_with_few_values_are_slices_by_value() -> None:
    days = pd.Series([0.0, 1.0, 6.0, np.nan])
    before, _ = slice_rows("numeric", (days, np.ones(4)), (days, np.ones(4)))
    assert set(before) == {"0", "1", "6", MISSING}
