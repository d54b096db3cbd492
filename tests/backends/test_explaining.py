"""How much a model leans on each feature: permutation and SHAP on models whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.catalog import load_part
from airflow_mlops.backends.material import Material

FEATURES = {"strong": "numeric", "weak": "numeric", "city": "categorical", "noise": "numeric"}


class Logistic:
    """A probability from known weights; the city counts only where it is Rome."""

    def predict(self, features: pd.DataFrame) -> Any:
        assert list(features) == list(FEATURES)
        score = 2 * features["strong"] + 0.5 * features["weak"] + (features["city"] == "Rome")
        return (1 / (1 + np.exp(-score.astype(float)))).to_numpy()


class Classes(Logistic):
    """The same as three classes."""

    def predict(self, features: pd.DataFrame) -> Any:
        one = super().predict(features)
        return np.column_stack([one / 2, one / 2, 1 - one])


@pytest.fixture
def material(material_of: Callable[..., Material]) -> Callable[..., Material]:
    """``material(model, task)``: 1,500 rows whose label is drawn by what the model says."""

    def make(model: Any = None, task: Any = "binary_classification") -> Material:
        random, model = np.random.default_rng(0), model or Logistic()
        rows = pd.DataFrame({name: random.normal(size=1_500) for name in FEATURES})
        rows["city"] = random.choice(["Rome", "Oslo", "Bonn"], size=1_500)
        answers = model.predict(rows)
        if answers.ndim == 1:
            label = (random.random(1_500) < answers).astype(int)
        else:
            label = [random.choice(3, p=row) for row in answers]
        return replace(material_of(rows.assign(y=label), answers, task=task), model=model)

    return make


SETTINGS = {"metric": "log_loss", "rows": 1_000, "repeats": 2, "by": ()}


@pytest.mark.parametrize("method", ["permutation", "shap"])
def test_features_come_in_the_order_of_their_weights_and_one_without_weight_is_zero(material, method):
    found = load_part(f"explainer.{method}")(SETTINGS, material())
    assert [item.feature for item in found] == ["strong", "weak", "city", "noise"] or [
        item.feature for item in found
    ] == ["strong", "city", "weak", "noise"]
    assert found[0].estimate.low > 2 * found[2].estimate.value
    assert found[3].estimate.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", ["permutation", "shap"])
def test_the_same_rows_give_the_same_numbers(material, method):
    explain = load_part(f"explainer.{method}")
    assert explain(SETTINGS, material()) == explain(SETTINGS, material())


@pytest.mark.parametrize("method", ["permutation", "shap"])
def test_each_value_of_a_listed_column_is_explained_by_itself(material, method):
    found = load_part(f"explainer.{method}")({**SETTINGS, "by": ("city",)}, material())
    assert {item.part for item in found} == {"", "city: Rome", "city: Oslo", "city: Bonn"}
    within = [item for item in found if item.part == "city: Rome" and item.feature == "city"]
    if method == "permutation":  # among rows of one city, shuffling the city changes nothing
        assert within[0].estimate.value == 0


@pytest.mark.parametrize("method", ["permutation", "shap"])
def test_several_classes_are_explained(material, method):
    several = material(Classes(), "multiclass_classification")
    found = load_part(f"explainer.{method}")(SETTINGS, several)
    assert found[0].feature == "strong"
