"""What features explain of a mean's change, on models whose answer is known."""

from __future__ import annotations

from itertools import permutations
from math import factorial, fsum

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.shift.shapley import explain
from airflow_mlops.exceptions import ModelRefused

ALONE = {"a": ("a",), "b": ("b",), "c": ("c",)}


def rows(seed: int, count: int = 600, **means: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(means.get(name, 0.0), 1.0, count) for name in "abc"})


def explained(ask, before, now, players=ALONE, rows=400, **given):
    return explain(ask, (before, ask(before)), (now, ask(now)), players, rows=rows, seed=0, **given)


def parts(found) -> dict[str, float]:
    return {part.name: part.change for part in found.parts}


def product(frame: pd.DataFrame):
    return (frame["a"] * frame["b"] + np.sin(frame["c"])).to_numpy()


def test_the_parts_add_up_to_the_change_of_the_drawn_rows_exactly() -> None:
    found = explained(product, rows(0, a=1.0), rows(1, a=2.0, b=1.0, c=0.5))
    assert fsum(parts(found).values()) == pytest.approx(found.asked[1] - found.asked[0], abs=1e-12)
    assert found.drawn == pytest.approx(found.asked, abs=1e-12)


def test_a_sum_gives_each_feature_its_own_change() -> None:
    found = explained(lambda frame: (2 * frame["a"] - frame["b"]).to_numpy(), rows(0), rows(1, a=1.0, b=1.0))
    assert parts(found) == pytest.approx({"a": 2.0, "b": -1.0, "c": 0.0}, abs=0.2)
    for part in found.parts:
        assert part.low <= part.change <= part.high


@pytest.mark.slow
def test_the_mean_over_pairs_is_the_shapley_value() -> None:
    before, now = rows(0, 20, a=1.0), rows(1, 20, a=2.0, b=1.0)
    pairs = [(one, other) for one in range(20) for other in range(20)]
    mixed = {}
    for which in range(8):
        chosen = [name for place, name in enumerate("abc") if which >> place & 1]
        frame = before.iloc[[one for one, _ in pairs]].reset_index(drop=True)
        frame[chosen] = now[chosen].iloc[[other for _, other in pairs]].to_numpy()
        mixed[frozenset(chosen)] = product(frame).mean()
    exact = dict.fromkeys("abc", 0.0)
    for order in permutations("abc"):
        for place, name in enumerate(order):
            step = mixed[frozenset(order[: place + 1])] - mixed[frozenset(order[:place])]
            exact[name] += step / factorial(3)
    many = [
        parts(explain(product, (before, product(before)), (now, product(now)), ALONE, rows=20, seed=seed))
        for seed in range(50)
    ]
    assert {name: np.mean([one[name] for one in many]) for name in "abc"} == pytest.approx(exact, abs=0.08)


def test_where_nothing_moved_nothing_is_explained_however_features_depend_on_each_other() -> None:
    before, now = rows(0, 4_000), rows(1, 4_000)
    before["b"], now["b"] = before["a"], now["a"]
    found = explained(product, before, now, rows=4_000)
    for part in found.parts:
        assert part.low <= 0.0 <= part.high or abs(part.change) < 0.05


def test_a_group_of_features_moves_as_one() -> None:
    found = explained(product, rows(0), rows(1, a=1.0, b=1.0), {"a and b": ("a", "b"), "c": ("c",)})
    assert list(parts(found)) == ["a and b", "c"]
    assert parts(found)["a and b"] == pytest.approx(1.0, abs=0.25)


def test_categories_and_holes_walk_along() -> None:
    def ask(frame: pd.DataFrame):
        return np.where(frame["plan"] == "pro", 1.0, 0.0) + frame["age"].isna().to_numpy()

    before = pd.DataFrame({"plan": ["free"] * 50, "age": [1.0] * 50})
    now = pd.DataFrame({"plan": ["pro"] * 25 + [None] * 25, "age": [np.nan] * 50})
    found = explained(ask, before, now, {"plan": ("plan",), "age": ("age",)})
    assert parts(found) == {"plan": pytest.approx(0.5), "age": pytest.approx(1.0)}


def test_the_drawn_rows_have_the_mean_of_all_rows() -> None:
    before, now = rows(0, 5_000), rows(1, 5_000, a=1.0)
    found = explained(product, before, now, rows=200)
    assert found.rows == 200
    assert found.asked == pytest.approx((product(before).mean(), product(now).mean()), abs=0.03)


def test_equal_questions_get_equal_answers() -> None:
    assert explained(product, rows(0), rows(1, a=1.0)) == explained(product, rows(0), rows(1, a=1.0))


def test_a_champion_without_a_number_is_refused() -> None:
    with pytest.raises(ModelRefused, match="no finite number for rows mixed"):
        explain(
            lambda frame: np.where(frame["a"] > 0, np.nan, 1.0),
            (rows(0), np.ones(600)),
            (rows(1), np.ones(600)),
            ALONE,
            rows=50,
            seed=0,
        )
