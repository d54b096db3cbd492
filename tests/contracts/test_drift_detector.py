"""What every DriftDetector must do; one fixture per implementation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.drift.detector import StreamingDriftDetector
from airflow_mlops.backends.drift.rows import ParquetRows
from airflow_mlops.core.drift import ColumnPlan, DriftPlan, method_for
from airflow_mlops.exceptions import DataRefused

COLUMNS = {"age": "numeric", "spend": "numeric", "plan": "categorical"}
METHODS = ["psi", "ks", "chi_squared", "wasserstein", "jensenshannon"]


@pytest.fixture(params=[StreamingDriftDetector])
def detector(request):
    return request.param()


@pytest.fixture
def compare(detector, tmp_path):
    """``compare(current, method)``: against ``frame()``, or another reference."""

    def made(current, method="psi", reference=None, columns=COLUMNS, **settings):
        plan = DriftPlan(
            tuple(ColumnPlan(name, kind, method_for(kind, method), 0.1) for name, kind in columns.items()),
            **settings,
        )
        known = detector.profile(rows("reference", frame() if reference is None else reference), plan)
        return detector.compare(known, rows("current", current), plan)

    def rows(name, frame):
        path = tmp_path / f"{name}.parquet"
        frame.to_parquet(path, index=False, row_group_size=700)
        return ParquetRows(name, (path,))

    return made


def frame(seed: int = 0, shift: float = 0.0, plans=("free", "pro"), rows: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(shift, 1, rows),
            "spend": rng.exponential(1, rows),
            "plan": rng.choice(plans, rows),
        }
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_column_that_moved_is_found_and_the_others_are_not(compare, method):
    result = compare(frame(seed=1, shift=1.5), method)
    assert [column.column for column in result.columns] == list(COLUMNS)
    assert {column.column for column in result.columns if column.drifted} == {"age"}


def test_a_new_category_is_drift(compare):
    result = compare(frame(seed=1, plans=("free", "team")))
    assert {column.column for column in result.columns if column.drifted} == {"plan"}


def test_a_column_without_values_has_drifted_as_far_as_it_can(compare):
    result = compare(frame(seed=1).assign(age=np.nan))
    age = result.columns[0]
    assert (age.drifted, age.method) == (True, "no values in current")


@pytest.mark.parametrize("method", METHODS)
def test_infinity_counts_as_missing(compare, method):
    some, all_of_it = frame(seed=1), frame(seed=1).assign(age=np.inf)
    some.loc[3, "age"] = -np.inf
    assert not compare(some, method).columns[0].drifted
    assert not compare(frame(seed=1), method, reference=some).columns[0].drifted
    assert compare(all_of_it, method).columns[0].method == "no values in current"


def test_a_column_without_values_on_both_sides_has_not_moved(compare):
    nothing = frame().assign(age=np.nan)
    assert not compare(nothing, reference=nothing).columns[0].drifted


def test_missing_columns_and_no_rows_are_refused(compare):
    with pytest.raises(DataRefused, match="current data lacks plan"):
        compare(frame().drop(columns="plan"))
    with pytest.raises(DataRefused, match="current data has no rows"):
        compare(frame().iloc[:0])


VOCABULARY = [f"word{number}" for number in range(2_000)]


def comments(seed: int, *, rows: int = 1_000, words: float = 12, new: float = 0.0) -> pd.DataFrame:
    """Words as rare as in speech (the n-th is 1/n as frequent as the first); ``new`` of them are news."""
    rng = np.random.default_rng(seed)
    odds = 1 / np.arange(1, len(VOCABULARY) + 1)
    counts = rng.poisson(words, rows)
    drawn = rng.choice(VOCABULARY, counts.sum(), p=odds / odds.sum()).astype(object)
    drawn[rng.random(len(drawn)) < new] = "unheard"
    return pd.DataFrame({"note": [" ".join(part) for part in np.split(drawn, counts.cumsum()[:-1])]})


def of_notes(compare, current, method="psi", reference=None):
    given = comments(0, rows=4_000) if reference is None else reference
    return compare(current, method, given, {"note": "text"}).columns[0]


@pytest.mark.parametrize("method", METHODS)
def test_texts_of_the_same_kind_have_not_moved_though_no_two_are_equal(compare, method):
    assert not of_notes(compare, comments(1), method).drifted


@pytest.mark.parametrize("method", METHODS)
def test_new_words_and_longer_texts_are_drift_and_the_method_says_which(compare, method):
    news = of_notes(compare, comments(1, new=0.08), method)
    longer = of_notes(compare, comments(1, words=16), method)
    assert (news.column, news.drifted, news.method) == ("note", True, f"{method} of unseen words")
    assert (longer.drifted, longer.method) == (True, f"{method} of words")


def test_texts_that_have_all_become_empty_have_drifted_as_far_as_they_can(compare):
    assert of_notes(compare, comments(1).assign(note="")).drifted
    nothing = comments(1).assign(note=None)
    assert not of_notes(compare, nothing, reference=nothing).drifted
