"""Answers with a label against those without."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.label_selection import differences
from airflow_mlops.core.label_selection import biased_columns

KINDS = {"age": "numeric", "plan": "categorical", "words": "text", "prediction": "numeric"}


def answers(count: int, seed: int, *, age: float = 0.0, pro: float = 0.5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.normal(age, 1.0, count),
            "plan": random.choice(["pro", "free"], count, p=[pro, 1 - pro]),
            "words": "some text",
            "prediction": random.random(count),
        }
    )


def test_the_columns_that_differ_are_named_with_the_size_of_it() -> None:
    found = biased_columns(differences(answers(500, 1, age=0.8, pro=0.8), answers(500, 2), KINDS), 0.95)
    assert [one.column for one in found] == ["age", "plan"]
    assert found[0].effect == pytest.approx(0.8, abs=0.15)
    assert "age: mean 0." in found[0].reason
    assert "plan: share of one category 0." in found[1].reason
    assert any(f"plan: share of {plan} 0." in found[1].detail for plan in ("pro", "free"))


def test_a_difference_that_is_sure_but_tiny_is_no_bias() -> None:
    measured = differences(answers(60_000, 1, age=0.05), answers(60_000, 2), KINDS)
    assert min(one.p_value for one in measured) < 1e-6
    assert biased_columns(measured, 0.95) == []


def test_two_numbers_without_any_spread_are_told_apart() -> None:
    one, other = answers(100, 1), answers(100, 2)
    one["age"], other["age"] = 1.0, 0.0
    (age, *_) = biased_columns(differences(one, other, KINDS), 0.95)
    assert (age.column, age.labelled, age.unlabelled) == ("age", 1.0, 0.0)


def test_few_answers_on_either_side_say_nothing() -> None:
    assert differences(answers(29, 1, age=3.0), answers(500, 2), KINDS) == []


def test_missing_values_constants_and_rare_categories_are_no_error() -> None:
    one, other = answers(100, 1), answers(100, 2)
    one["age"], other["age"] = np.nan, 1.0
    one["plan"], other["plan"] = None, [f"c{number}" for number in range(100)]
    one["prediction"] = other["prediction"] = 0.5
    (plan,) = differences(one, other, KINDS)
    assert (plan.column, plan.value) == ("plan", "missing")
