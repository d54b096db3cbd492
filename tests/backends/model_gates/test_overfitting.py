"""Overfitting: how much better a model is on the rows it was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from airflow_mlops.backends.gates.overfitting import measure
from airflow_mlops.config.parts.gates_model import OverfittingGate


def settings(metric: str = "roc_auc", **given: Any) -> dict[str, Any]:
    return OverfittingGate(type="overfitting", metric=metric, maximum=0.1, **given).model_dump(mode="json")


def test_the_gap_is_the_metric_on_training_rows_minus_that_on_the_holdout(
    make_material: Any, request: Any
) -> None:
    forest = make_material.pipeline(RandomForestClassifier(n_estimators=30, random_state=0))
    material = make_material(forest)
    (found,) = measure(settings(), material).measurements
    train = material.training()
    seen = roc_auc_score(train["churned"], material.model.predict(train))
    unseen = roc_auc_score(material.label, material.answers)
    assert found.estimate.value == pytest.approx(seen - unseen)
    assert found.estimate.value > 0.15  # a forest knows its own rows by heart
    assert found.name == "gap of roc_auc"
    assert found.rows == 600
    assert found.note.startswith("training 1.0000")


def test_a_plain_model_has_no_gap_that_could_be_proven(make_material: Any) -> None:
    (found,) = measure(settings(), make_material()).measurements
    assert found.estimate.low < 0 < found.estimate.high


def test_a_loss_that_is_lower_in_training_is_a_gap_above_zero_too(make_material: Any) -> None:
    forest = make_material.pipeline(RandomForestClassifier(n_estimators=30, random_state=0))
    (found,) = measure(settings("log_loss"), make_material(forest)).measurements
    assert found.estimate.low > 0


def test_half_the_widths_of_two_independent_intervals_add_up_in_squares(make_material: Any) -> None:
    material = make_material(
        make_material.pipeline(LinearRegression()),
        task="regression",
        label=lambda rows: rows["age"] + np.random.default_rng(2).normal(size=len(rows)),
    )
    (found,) = measure(settings("mean_absolute_error"), material).measurements
    parts = [
        material.metrics.score(["mean_absolute_error"], label, answers, 0.95)["mean_absolute_error"]
        for label, answers in (
            (material.training()["churned"], material.model.predict(material.training())),
            (material.label, material.answers),
        )
    ]
    halves = [one.high - one.value for one in parts]
    assert found.estimate.high - found.estimate.value == pytest.approx(np.hypot(*halves))


def test_many_training_rows_are_sampled_and_a_retry_draws_the_same(make_material: Any) -> None:
    (found,) = measure(settings(rows=100), make_material()).measurements
    assert found.rows == 100
    assert measure(settings(rows=100), make_material()).measurements == (found,)
