"""MMD and the domain classifier on made-up rows whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.shift import domain_classifier, mmd
from airflow_mlops.backends.shift.encoding import numbered, spaced
from airflow_mlops.core.shift.multivariate import judged
from airflow_mlops.exceptions import DataRefused

KINDS = {"age": "numeric", "spend": "numeric", "plan": "categorical"}


def rows(seed: int, count: int = 400, *, shift: float = 0.0, depends: float = 0.0, plans=("free", "pro")):
    rng = np.random.default_rng(seed)
    age = rng.normal(size=count)
    spend = depends * age + np.sqrt(1 - depends**2) * rng.normal(size=count)
    return pd.DataFrame({"age": age + shift, "spend": spend, "plan": rng.choice(plans, count)})


def measured(measure, current, *, reference=None, columns=KINDS, rows_=400):
    before = rows(0) if reference is None else reference
    return judged([measure("all features", before, current, columns, rows=rows_, seed=0)], None)[0]


@pytest.fixture(params=[mmd.measure, domain_classifier.measure], ids=["mmd", "domain_classifier"])
def measure(request):
    return request.param


def test_rows_drawn_alike_are_not_told_apart(measure) -> None:
    assert not measured(measure, rows(1)).drifted


def test_a_column_that_moved_is(measure) -> None:
    found = measured(measure, rows(1, shift=1.5))
    assert found.drifted, found
    assert measured(measure, rows(1, shift=1.5)) == found


def test_columns_that_move_only_together_are(measure) -> None:
    """Each column by itself is as it was: only their dependence is new."""
    found = measured(measure, rows(1, depends=0.95), columns={"age": "numeric", "spend": "numeric"})
    assert found.drifted, found


def test_new_categories_are(measure) -> None:
    assert measured(measure, rows(1, plans=("team", "trial")), columns={"plan": "categorical"}).drifted


def test_missing_values_are_a_difference_of_their_own(measure) -> None:
    holes = rows(1)
    holes.loc[:200, "age"] = np.nan
    assert measured(measure, holes, columns={"age": "numeric"}).drifted


def test_a_column_that_is_all_but_empty_is_no_error(measure) -> None:
    sparse, empty = rows(1), rows(1)
    sparse["age"] = [1.0] + [np.nan] * 399
    empty["age"] = np.nan
    for before in (sparse, empty):
        found = measured(measure, before.sample(frac=1.0, random_state=0), reference=before)
        assert not found.drifted, found


def test_an_embedding_is_a_group_of_numbers(measure) -> None:
    rng = np.random.default_rng(0)
    names = [f"e{place}" for place in range(16)]
    before, same = (pd.DataFrame(rng.normal(size=(200, 16)), columns=names) for _ in range(2))
    turned = pd.DataFrame(rng.normal(size=(200, 16)) + 0.5, columns=names)
    kinds = dict.fromkeys(names, "numeric")
    assert not measured(measure, same, reference=before, columns=kinds).drifted
    assert measured(measure, turned, reference=before, columns=kinds).drifted


def test_texts_are_told_apart_by_length_and_by_words_that_are_new(measure) -> None:
    words, rng = [f"word{number}" for number in range(40)], np.random.default_rng(0)

    def notes(known: list[str], most: int) -> pd.DataFrame:
        return pd.DataFrame(
            {"note": [" ".join(rng.choice(known, rng.integers(3, most))) for _ in range(300)]}
        )

    before, same, other = notes(words, 9), notes(words, 9), notes(["heard", "nowhere"], 9)
    assert not measured(measure, same, reference=before, columns={"note": "text"}).drifted
    assert measured(measure, other, reference=before, columns={"note": "text"}).drifted


def test_columns_without_any_spread_are_alike(measure) -> None:
    flat = rows(0).assign(age=1.0)
    assert not measured(measure, flat, reference=flat, columns={"age": "numeric"}).drifted


def test_too_few_rows_and_no_columns_are_refused(measure) -> None:
    with pytest.raises(DataRefused, match="20 rows on one side are too few; 50 are needed"):
        measured(measure, rows(1, 20))
    with pytest.raises(DataRefused, match="none of these features"):
        measured(measure, rows(1), columns={})


def test_the_classifier_names_what_tells_the_two_apart() -> None:
    found = measured(domain_classifier.measure, rows(1, shift=1.5))
    assert found.tells[0][0] == "age"
    assert found.low < found.effect < found.high
    assert dict(found.tells)["plan"] == pytest.approx(0.0, abs=0.03)


def test_the_classifiers_auc_is_that_of_the_best_there_can_be() -> None:
    """Two normals 1 apart: the best AUC is the normal distribution at 1 / sqrt(2), 0.760."""
    before, now = rows(0, 3_000), rows(1, 3_000, shift=1.0)
    found = measured(
        domain_classifier.measure, now, reference=before, columns={"age": "numeric"}, rows_=3_000
    )
    assert found.effect == pytest.approx(0.760, abs=0.025)


def test_the_discrepancy_is_the_papers_unbiased_one() -> None:
    """Equation 3 of Gretton et al., pair by pair."""
    before, now = rows(0, 60), rows(1, 70, shift=0.5)
    _, ours, theirs, categorical = numbered(before, now, KINDS)
    x, y = spaced(ours, theirs, categorical)
    points = np.vstack([x, y])
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    width = np.median(gaps[np.triu_indices(len(points), 1)])
    kernel = np.exp(-(gaps**2) / (2 * width**2))
    n, m = len(x), len(y)
    within = sum(kernel[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    others = sum(kernel[n + i, n + j] for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = kernel[:n, n:].mean()
    found = measured(mmd.measure, now, reference=before)
    assert found.statistic == pytest.approx(within + others - 2 * across, abs=1e-10)
    assert found.effect == pytest.approx(found.statistic / (2 * (1 - across)), abs=1e-10)


def test_the_permutation_test_rejects_true_nulls_as_often_as_it_says() -> None:
    kinds = {"age": "numeric", "spend": "numeric"}
    p_values = [
        mmd.measure("all", rows(2 * seed, 60), rows(2 * seed + 1, 60), kinds, rows=60, seed=seed).p_value
        for seed in range(60)
    ]
    assert min(p_values) > 0
    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=0.13)


def test_a_million_equal_rows_say_no_more_than_the_sample() -> None:
    """The cost is bounded: only ``rows`` of each side are looked at."""
    found = measured(mmd.measure, rows(1, 3_000), reference=rows(0, 3_000), rows_=200)
    assert found.rows == (200, 200)
