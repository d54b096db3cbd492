"""The baseline: a rival that a model must beat on the same rows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from airflow_mlops.backends.gates.baseline import measure
from airflow_mlops.config.parts.gates_baseline import BaselineGate
from airflow_mlops.core.values import Measurement, Verdict
from airflow_mlops.exceptions import DataRefused


def settings(metric: str, kind: str = "constant", **given: Any) -> dict[str, Any]:
    return BaselineGate(type="baseline", metric=metric, kind=kind, **given).model_dump(mode="json")


def only(finding: Any) -> Measurement:
    (found,) = finding.measurements
    return found


def noisy_age(rows: pd.DataFrame) -> Any:
    return rows["age"] + np.random.default_rng(2).gamma(1.0, 5.0, size=len(rows))


def test_the_constant_of_two_classes_is_the_share_in_training(make_material: Any) -> None:
    material = make_material()
    found = only(measure(settings("log_loss"), material))
    dummy = DummyClassifier(strategy="prior").fit(
        material.training()[["age"]], material.training()["churned"]
    )
    theirs = log_loss(material.label, dummy.predict_proba(material.features)[:, 1])
    assert found.estimate.value == pytest.approx(theirs - log_loss(material.label, material.answers))
    assert found.estimate.low > 0
    assert found.name.startswith("gain of log_loss over the constant 0.")
    assert found.note.startswith(f"the rival has {theirs:.4f}")
    assert found.rows == 400


def test_no_constant_has_an_area_under_the_curve_beyond_a_half(make_material: Any) -> None:
    found = only(measure(settings("roc_auc"), make_material()))
    assert found.note.startswith("the rival has 0.5000")


def test_the_constant_of_several_classes_is_their_shares_so_its_class_is_the_most_frequent(
    make_material: Any,
) -> None:
    material = make_material(
        make_material.pipeline(HistGradientBoostingClassifier(max_iter=10)),
        task="multiclass_classification",
        label=lambda rows: (rows["age"] // 15).clip(1, 3).astype(int) - 1,
    )
    train = material.training()
    dummy = DummyClassifier(strategy="most_frequent").fit(train[["age"]], train["churned"])
    right = np.mean(dummy.predict(material.features) == material.label)
    mine = np.mean(material.answers.argmax(axis=1) == material.label)
    assert only(measure(settings("accuracy"), material)).estimate.value == pytest.approx(mine - right)


@pytest.mark.parametrize(
    ("metric", "strategy", "score"),
    [
        ("mean_absolute_error", "median", mean_absolute_error),
        ("root_mean_squared_error", "mean", lambda label, said: mean_squared_error(label, said) ** 0.5),
    ],
)
def test_the_constant_of_a_number_is_the_one_that_does_best_by_the_metric(
    make_material: Any, metric: str, strategy: str, score: Any
) -> None:
    material = make_material(make_material.pipeline(LinearRegression()), task="regression", label=noisy_age)
    train = material.training()
    dummy = DummyRegressor(strategy=strategy).fit(train[["age"]], train["churned"])
    theirs, mine = (
        score(material.label, dummy.predict(material.features)),
        score(material.label, material.answers),
    )
    found = only(measure(settings(metric), material))
    assert found.estimate.value == pytest.approx(theirs - mine)
    assert f"the {strategy} of training" in found.name


def test_the_last_value_is_the_newest_label_before_the_holdout(make_material: Any) -> None:
    material = make_material(make_material.pipeline(LinearRegression()), task="regression", label=noisy_age)
    last = material.training()["churned"].iloc[-1]
    shuffled = material.training().sample(frac=1, random_state=0)
    object.__setattr__(material, "training", lambda: shuffled)
    found = only(measure(settings("mean_absolute_error", "last_value"), material))
    theirs = mean_absolute_error(material.label, np.full(400, last))
    assert found.estimate.value == pytest.approx(
        theirs - mean_absolute_error(material.label, material.answers)
    )


def test_a_former_champion_is_the_one_of_that_time_before_the_newest_row(make_material: Any) -> None:
    asked: list[datetime] = []

    class Former:
        def predict(self, features: pd.DataFrame) -> Any:
            return np.full(len(features), 0.5)

    def former(moment: datetime) -> Any:
        asked.append(moment)
        return Former()

    material = make_material(former=former)
    found = only(measure(settings("log_loss", "former", age="10 days"), material))
    newest = datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(hours=999)
    assert asked == [newest - timedelta(days=10)]
    assert found.estimate.value == pytest.approx(np.log(2) - log_loss(material.label, material.answers))
    assert found.name == f"gain of log_loss over the champion of {asked[0]:%Y-%m-%d}"


def test_where_nobody_was_champion_there_is_nobody_to_beat(make_material: Any) -> None:
    finding = measure(settings("log_loss", "former", age="10 days"), make_material())
    assert finding.measurements == ()
    assert finding.verdict == Verdict("pass", ("nobody was champion on 2024-02-01",))


def test_a_column_holds_the_answers_of_another_system(make_material: Any) -> None:
    plain = make_material()
    rng = np.random.default_rng(5)
    holdout = plain.holdout.assign(vendor=rng.uniform(0.2, 0.8, size=400))
    material = make_material(holdout=holdout)
    found = only(measure(settings("log_loss", "column", column="vendor"), material))
    theirs = log_loss(holdout["churned"], holdout["vendor"])
    assert found.estimate.value == pytest.approx(theirs - log_loss(material.label, material.answers))
    better = make_material(holdout=holdout.assign(vendor=plain.answers))
    same = only(measure(settings("log_loss", "column", column="vendor"), better))
    assert (same.estimate.low, same.estimate.high) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("vendor", [0.5] * 399 + [None], "1 of 400 predictions are null"),
        ("vendor", ["high"] * 400, "answers in column 'vendor' are no numbers"),
        ("supplier", [0.5] * 400, "no column 'supplier' in the snapshot"),
    ],
)
def test_a_column_that_holds_no_answers_is_refused(
    make_material: Any, column: str, values: list[Any], message: str
) -> None:
    holdout = make_material().holdout.assign(vendor=values)
    with pytest.raises(DataRefused, match=message):
        measure(settings("log_loss", "column", column=column), make_material(holdout=holdout))


def test_a_model_that_is_no_better_is_not_proven_to_be(make_material: Any) -> None:
    blind = make_material.pipeline(LogisticRegression(C=1e-9))
    found = only(measure(settings("log_loss"), make_material(blind)))
    assert found.estimate.low < 0.001
