"""Robustness: what is done to the features, how much it costs, and what breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from airflow_mlops.backends.gates.perturbations import NEVER_SEEN, perturbed
from airflow_mlops.backends.gates.robustness import measure
from airflow_mlops.config.parts.gates_model import RobustnessGate
from airflow_mlops.exceptions import BackendUnavailable


def settings(**given: Any) -> dict[str, Any]:
    gate = RobustnessGate(type="robustness", metric="roc_auc", maximum=0.05, **given)
    return gate.model_dump(mode="json")


@pytest.fixture
def training() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"n": rng.normal(10, 2, size=5_000), "c": rng.choice(["a", "b"], size=5_000)})


def change(training: pd.DataFrame, perturbation: str, column: str, strength: float) -> pd.Series:
    rng = np.random.default_rng(1)
    return perturbed(perturbation, training, [column], training, strength, rng)[column]


def test_noise_is_a_share_of_the_standard_deviation_in_training(training: pd.DataFrame) -> None:
    added = change(training, "noise", "n", 0.5) - training["n"]
    assert added.std() == pytest.approx(0.5 * training["n"].std(), rel=0.05)
    assert abs(added.mean()) < 0.05


@pytest.mark.parametrize("column", ["n", "c"])
def test_a_share_of_the_values_goes_missing(training: pd.DataFrame, column: str) -> None:
    changed = change(training, "missing", column, 0.3)
    assert changed.isna().mean() == pytest.approx(0.3, abs=0.02)
    assert (changed.dropna() == training[column][changed.notna()]).all()


def test_out_of_range_is_below_or_above_all_that_training_has_seen(training: pd.DataFrame) -> None:
    changed = change(training, "out_of_range", "n", 0.2)
    moved = changed[changed != training["n"]]
    low, high = training["n"].min(), training["n"].max()
    assert len(moved) / len(changed) == pytest.approx(0.2, abs=0.02)
    assert ((moved < low) | (moved > high)).all()
    assert moved.between(low - (high - low), high + (high - low)).all()
    assert min((moved < low).mean(), (moved > high).mean()) > 0.4


def test_an_unseen_category_is_one_that_training_never_had(training: pd.DataFrame) -> None:
    training.loc[0, "c"] = NEVER_SEEN
    changed = change(training, "unseen_category", "c", 0.2)
    new = set(changed) - set(training["c"])
    assert new == {f"{NEVER_SEEN}!"}
    assert changed.isin(new).mean() == pytest.approx(0.2, abs=0.02)


def test_typos_swap_neighbouring_characters_and_leave_the_rest() -> None:
    texts = pd.DataFrame({"t": ["the quick brown fox jumps over the lazy dog" * 20, "x", "", None]})
    changed = change(texts, "typos", "t", 0.05)
    before, after = texts["t"][0], changed[0]
    assert sorted(before) == sorted(after)
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    assert 0.04 * len(before) < moved < 0.14 * len(before)
    assert changed.iloc[1:3].tolist() == ["x", ""]
    assert changed.isna().tolist() == [False, False, False, True]


def test_a_column_of_one_value_or_none_can_be_perturbed() -> None:
    flat = pd.DataFrame({"n": [3.0] * 20, "none": [np.nan] * 20})
    assert (change(flat, "noise", "n", 1.0) == 3.0).all()
    assert (change(flat, "out_of_range", "n", 1.0) != 3.0).all()
    assert change(flat, "noise", "none", 1.0).isna().all()
    assert change(flat, "out_of_range", "none", 1.0).notna().all()


def test_each_perturbation_is_measured_on_all_features_and_on_each_and_the_worst_is_named(
    make_material: Any, numbers_of: Any
) -> None:
    finding = measure(settings(strength={"missing": 0.5}), make_material())
    found = numbers_of(finding)
    assert list(found)[:3] == [
        "drop of roc_auc with noise in all 2 features",
        "drop of roc_auc with noise in age",
        "drop of roc_auc with noise in spend",
    ]
    assert len(found) == 3 + 4 + 3 + 1
    assert found["drop of roc_auc with missing in all 3 features"] > 0.05
    assert found["drop of roc_auc with missing in age"] > found["drop of roc_auc with missing in spend"]
    notes = {item.name: item.note for item in finding.measurements}
    assert notes["drop of roc_auc with missing in all 3 features"].startswith(("most by age", "most by plan"))
    assert finding.verdict is None


def test_a_drop_is_scikit_learns_metric_before_minus_after_with_an_interval_around_it(
    make_material: Any,
) -> None:
    material = make_material()
    asked = settings(perturbations=["unseen_category"], strength={"unseen_category": 1.0}, repeats=1)
    (found,) = measure(asked, material).measurements
    changed = material.features.assign(plan="never seen by anyone")
    after = roc_auc_score(material.label, material.model.predict(changed))
    before = roc_auc_score(material.label, material.answers)
    assert found.estimate.value == pytest.approx(before - after)
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert found.rows == 400


def test_a_retry_draws_the_same_and_another_seed_draws_otherwise(make_material: Any) -> None:
    given: dict[str, Any] = {"perturbations": ["noise"], "strength": {"noise": 1.0}, "each_feature": False}
    whole, part = settings(**given), settings(**given, rows=100)
    for asked in (whole, part):
        first = measure(asked, make_material())
        assert measure(asked, make_material()) == first
        assert measure(asked, make_material(seed=8)) != first
    assert {item.rows for item in first.measurements} == {100}


def test_more_repeats_do_not_narrow_the_interval_since_the_rows_are_the_same(make_material: Any) -> None:
    widths = []
    for repeats in (1, 9):
        asked = settings(
            perturbations=["noise"], strength={"noise": 1.0}, repeats=repeats, each_feature=False
        )
        (found,) = measure(asked, make_material()).measurements
        widths.append(found.estimate.high - found.estimate.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.25)


def fragile() -> Any:
    """Takes neither holes nor unknown categories."""
    columns = make_column_transformer(
        ("passthrough", ["age", "spend"]), (OneHotEncoder(handle_unknown="error"), ["plan"])
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1_000))


def test_a_model_that_raises_fails_and_the_perturbation_and_the_feature_are_named(make_material: Any) -> None:
    asked = settings(perturbations=["noise", "missing", "unseen_category"])
    finding = measure(asked, make_material(fragile()))
    assert finding.verdict is not None
    assert finding.verdict.outcome == "fail"
    told = "\n".join(finding.verdict.reasons)
    refused = "the model (Pipeline) cannot predict these rows: ValueError: "
    assert f"missing in age: {refused}Input X contains NaN" in told
    assert f"unseen category in plan: {refused}Found unknown categories in column 0 during transform" in told
    assert "noise" not in told
    assert len(finding.measurements) == 3


class NotANumberForTheOld(LogisticRegression):
    def predict_proba(self, features: Any) -> Any:
        answers = super().predict_proba(features)
        answers[features[:, 0] > 120] = np.nan
        return answers


def test_answers_that_are_no_numbers_fail(make_material: Any) -> None:
    columns = make_column_transformer(
        ("passthrough", ["age", "spend"]), (OneHotEncoder(sparse_output=False), ["plan"])
    )
    asked = settings(perturbations=["out_of_range"], strength={"out_of_range": 0.5})
    model = make_pipeline(columns, NotANumberForTheOld(max_iter=1_000))
    finding = measure(asked, make_material(model))
    assert finding.verdict is not None
    assert "out of range in age: " in finding.verdict.reasons[1]
    assert "of 400 answers are no finite numbers" in finding.verdict.reasons[1]


def test_a_server_that_is_away_is_no_fault_of_the_model(make_material: Any) -> None:
    class Away:
        def predict(self, features: pd.DataFrame) -> Any:
            raise BackendUnavailable("gone")

    with pytest.raises(BackendUnavailable):
        measure(settings(), make_material(model=Away()))
