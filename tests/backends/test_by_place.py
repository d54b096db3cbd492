"""Models that are asked with bare numbers: only where names cannot matter, and with equal answers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from airflow_mlops.backends.by_place import by_place
from airflow_mlops.core.values import ColumnKind

NUMBERS: Mapping[str, ColumnKind] = {"a": "numeric", "b": "numeric", "c": "numeric"}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(1).normal(size=(80, 3)), columns=list(NUMBERS))


def fitted(estimator: Any, rows: pd.DataFrame) -> Any:
    return estimator.fit(rows, rows["a"] + rows["b"] > 0)


class Own(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Somebody's own, which reads columns by their names."""

    def fit(self, features: pd.DataFrame, label: Any) -> Own:
        self.classes_ = np.unique(label)
        self.feature_names_in_ = np.asarray(features.columns)
        return self


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(5),
        LogisticRegression(),
        KNeighborsClassifier(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_twin_answers_as_the_model_does_and_warns_of_nothing(estimator: Any, rows: pd.DataFrame) -> None:
    model = fitted(estimator, rows)
    twin = by_place(model, NUMBERS)
    assert twin is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = twin.predict_proba(rows.to_numpy())
        assert np.array_equal(found, model.predict_proba(rows))


@pytest.mark.parametrize(
    "estimator",
    [
        Own(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(ColumnTransformer([("a", StandardScaler(), ["a"])]), LogisticRegression()),
        VotingClassifier([("one", LogisticRegression()), ("other", KNeighborsClassifier())]),
        CalibratedClassifierCV(SVC(), cv=2),
        HistGradientBoostingClassifier(max_iter=5, categorical_features=[0]),
    ],
    ids=["another's", "pipeline", "by column", "vote", "calibrated", "categories by number"],
)
def test_a_model_to_which_names_may_matter_has_none(estimator: Any, rows: pd.DataFrame) -> None:
    assert by_place(fitted(estimator, rows.round().abs()), NUMBERS) is None


@pytest.mark.parametrize(
    "columns",
    [{"b": "numeric", "a": "numeric", "c": "numeric"}, {**NUMBERS, "c": "categorical"}, {"a": "numeric"}],
    ids=["another order", "a category", "fewer"],
)
def test_other_columns_than_those_it_was_fitted_to_have_none(
    columns: Mapping[str, ColumnKind], rows: pd.DataFrame
) -> None:
    assert by_place(fitted(LogisticRegression(), rows), columns) is None
