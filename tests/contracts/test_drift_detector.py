"""What every DriftDetector must do; one fixture per implementation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.drift_evidently import EvidentlyDriftDetector
from airflow_mlops.exceptions import DataRefused

COLUMNS = {"age": "numeric", "spend": "numeric", "plan": "categorical"}


@pytest.fixture(params=[EvidentlyDriftDetector])
def detector(request):
    return request.param()


def frame(seed: int = 0, shift: float = 0.0, plans=("free", "pro"), rows: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(shift, 1, rows),
            "spend": rng.exponential(1, rows),
            "plan": rng.choice(plans, rows),
        }
    )


def compare(detector, current, method="psi", reference=None, columns=COLUMNS, sample_rows=20_000):
    return detector.compare(
        frame() if reference is None else reference,
        current,
        columns,
        method=method,
        threshold=0.1,
        share=0.3,
        sample_rows=sample_rows,
    )


@pytest.mark.parametrize("method", ["psi", "jensenshannon", "wasserstein"])
def test_the_column_that_moved_is_found_and_the_others_are_not(detector, method):
    result = compare(detector, frame(seed=1, shift=1.5), method)
    assert [column.column for column in result.columns] == list(COLUMNS)
    assert {column.column for column in result.columns if column.drifted} == {"age"}


def test_a_new_category_is_drift(detector):
    result = compare(detector, frame(seed=1, plans=("free", "team")))
    assert {column.column for column in result.columns if column.drifted} == {"plan"}


def test_the_page_stands_alone(detector):
    html = compare(detector, frame(seed=1)).html
    assert b"<html" in html[:1000].lower()
    assert b'src="http' not in html


def test_a_column_without_values_has_drifted_as_far_as_it_can(detector):
    result = compare(detector, frame(seed=1).assign(age=np.nan))
    age = result.columns[0]
    assert (age.drifted, age.method) == (True, "no values in current")


@pytest.mark.parametrize("method", ["psi", "jensenshannon", "wasserstein"])
def test_infinity_counts_as_missing(detector, method):
    some, all_of_it = frame(seed=1), frame(seed=1).assign(age=np.inf)
    some.loc[3, "age"] = -np.inf
    assert not compare(detector, some, method).columns[0].drifted
    assert not compare(detector, frame(seed=1), method, reference=some).columns[0].drifted
    assert compare(detector, all_of_it, method).columns[0].method == "no values in current"


def test_a_column_without_values_on_both_sides_has_not_moved(detector):
    nothing = frame().assign(age=np.nan)
    assert not compare(detector, nothing, reference=nothing).columns[0].drifted


def test_no_column_with_values_is_still_an_answer(detector):
    nothing = frame().assign(age=np.nan)
    result = compare(detector, nothing, reference=nothing, columns={"age": "numeric"})
    assert not result.columns[0].drifted
    assert result.html


def test_scores_are_finite_and_the_same_on_every_call(detector):
    one = compare(detector, frame(seed=1, shift=100, rows=3000), sample_rows=500)
    two = compare(detector, frame(seed=1, shift=100, rows=3000), sample_rows=500)
    assert one.columns == two.columns
    assert all(np.isfinite(column.score) for column in one.columns)


def test_missing_columns_and_no_rows_are_refused(detector):
    with pytest.raises(DataRefused, match="current data lacks plan"):
        compare(detector, frame().drop(columns="plan"))
    with pytest.raises(DataRefused, match="current data has no rows"):
        compare(detector, frame().iloc[:0])


VOCABULARY = [f"word{number}" for number in range(2_000)]


def comments(seed: int, *, rows: int = 1_000, words: float = 12, new: float = 0.0) -> pd.DataFrame:
    """Words as rare as in speech (the n-th is 1/n as frequent as the first); ``new`` of them are news."""
    rng = np.random.default_rng(seed)
    odds = 1 / np.arange(1, len(VOCABULARY) + 1)
    counts = rng.poisson(words, rows)
    drawn = rng.choice(VOCABULARY, counts.sum(), p=odds / odds.sum()).astype(object)
    drawn[rng.random(len(drawn)) < new] = "unheard"
    return pd.DataFrame({"note": [" ".join(part) for part in np.split(drawn, counts.cumsum()[:-1])]})


def of_notes(detector, current, method="psi", reference=None):
    given = comments(0, rows=4_000) if reference is None else reference
    return compare(detector, current, method, given, {"note": "text"}).columns[0]


@pytest.mark.parametrize("method", ["psi", "jensenshannon", "wasserstein"])
def test_texts_of_the_same_kind_have_not_moved_though_no_two_are_equal(detector, method):
    assert not of_notes(detector, comments(1), method).drifted


@pytest.mark.parametrize("method", ["psi", "jensenshannon", "wasserstein"])
def test_new_words_and_longer_texts_are_drift_and_the_method_says_which(detector, method):
    news = of_notes(detector, comments(1, new=0.08), method)
    longer = of_notes(detector, comments(1, words=16), method)
    assert (news.column, news.drifted, news.method) == ("note", True, f"{method} of unseen words")
    assert (longer.drifted, longer.method) == (True, f"{method} of words")


def test_texts_that_have_all_become_empty_have_drifted_as_far_as_they_can(detector):
    assert of_notes(detector, comments(1).assign(note="")).drifted
    nothing = comments(1).assign(note=None)
    assert not of_notes(detector, nothing, reference=nothing).drifted
