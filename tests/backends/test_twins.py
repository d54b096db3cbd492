"""Rows on both sides of a split: copies are seen, coincidence in coarse data is not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.twins import twins_of

COLUMNS = ["a", "b", "y"]


def fine(rows: int = 1_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["a", "b"])
    return numbers.assign(y=rng.integers(0, 2, rows), person=rng.integers(0, 50, rows))


def coarse(rows: int = 1_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    words = pd.DataFrame({"a": rng.choice(["x", "y", "z"], rows), "b": rng.choice(["x", None], rows)})
    return words.assign(y=rng.integers(0, 2, rows), person=rng.integers(0, 50, rows))


def too_many(rows: pd.DataFrame, **more: object) -> bool:
    found = twins_of(rows[:800], rows[800:].reset_index(drop=True), COLUMNS, **more)  # type: ignore[arg-type]
    assert found is not None
    return found.are_too_many(0.01)


def with_copies(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    rows = rows.copy()
    rows.loc[990 - count : 989, COLUMNS] = rows.loc[100 : 99 + count, COLUMNS].to_numpy()
    return rows


@pytest.mark.parametrize("by_time", [True, False])
def test_copies_of_training_rows_in_the_holdout_are_counted(by_time: bool) -> None:
    rows = with_copies(fine(), 20)
    found = twins_of(rows[:800], rows[800:].reset_index(drop=True), COLUMNS, by_time=by_time)
    assert found is not None
    assert found.found.tolist() == [170 <= number < 190 for number in range(200)]
    assert found.usual == 0
    assert found.are_too_many(0.01)
    assert not found.are_too_many(0.2)


def test_another_label_makes_no_twin() -> None:
    rows = with_copies(fine(), 20)
    rows.loc[800:, "y"] = 1 - rows.loc[800:, "y"]
    assert not too_many(rows)


def test_coarse_rows_have_twins_everywhere_and_are_not_accused() -> None:
    rows = coarse()
    found = twins_of(rows[:800], rows[800:], COLUMNS)
    assert found is not None
    assert found.share > 0.99
    assert not found.are_too_many(0.01)


def test_rows_that_come_twice_within_training_as_well_are_not_accused() -> None:
    rows = fine()
    often = rows.loc[np.random.default_rng(1).integers(0, 700, 1_000)].reset_index(drop=True)
    assert not too_many(often)


def test_repeats_within_a_group_do_not_excuse_copies_between_groups() -> None:
    rows = fine().assign(person=lambda rows: rows.index // 8)
    rows[COLUMNS] = rows.loc[rows.index // 8 * 8, COLUMNS].to_numpy()
    copied = with_copies(rows, 80)
    assert not too_many(rows, group="person")
    assert too_many(copied, group="person")


@pytest.mark.parametrize("seed", range(12))
def test_no_clean_data_are_accused(seed: int) -> None:
    assert not too_many(fine(seed=seed))
    assert not too_many(coarse(seed=seed))


def test_nothing_is_said_without_rows() -> None:
    assert twins_of(fine()[:2], fine()[800:], COLUMNS) is None
    assert twins_of(fine()[:800], fine()[:0], COLUMNS) is None
