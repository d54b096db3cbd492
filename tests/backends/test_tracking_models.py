"""What is let into and out of a model file, without a server."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from airflow_mlops.backends import model_skops
from airflow_mlops.backends.model_features import column_kinds, conformed
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed

BINARY = "binary_classification"


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    rows["c"] = rng.choice(["x", "y"], 200)
    rows.loc[::9, "a"] = np.nan
    return rows


def round_trip(estimator: Any, *, example: pd.DataFrame, task: Any, trusted_types: Any) -> Any:
    """The model as a server would have it: saved and loaded again."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "model")
        given = {"task": task, "trusted_types": trusted_types}
        model_skops.save(folder, estimator, example=example, run_id="none", model_id="none", **given)
        files = [(folder / name).read_bytes() for name in ("MLmodel", "model.skops")]
        return model_skops.load(*files, unchanged=True, **given)


def pipeline(estimator: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler(), SelectKBest(k=2))
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((numbers, ["a", "b"]), (text, make_column_selector(pattern="c")))
    return make_pipeline(columns, estimator)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        RandomForestClassifier(3),
        HistGradientBoostingClassifier(max_iter=3),
        GradientBoostingClassifier(n_estimators=3),
        CalibratedClassifierCV(RandomForestClassifier(3), cv=2),
        KNeighborsClassifier(),
        MLPClassifier((4,), max_iter=5),
        GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}),
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
        StackingClassifier([("a", LogisticRegression()), ("b", RandomForestClassifier(3))]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_classifiers_need_no_trusted_types(estimator: Any, rows: pd.DataFrame) -> None:
    model = pipeline(estimator).fit(rows, rows["b"] > 0)
    loaded = round_trip(model, example=rows.head(5), task=BINARY, trusted_types=())
    np.testing.assert_allclose(loaded.predict(rows), model.predict_proba(rows)[:, 1])


@pytest.mark.parametrize("dtype", ["category", "object"])
def test_gradient_boosting_on_category_columns_answers_the_same_on_text(
    rows: pd.DataFrame, dtype: str
) -> None:
    trained_on = rows.assign(c=rows["c"].astype("category"))
    model = HistGradientBoostingRegressor(max_iter=3, categorical_features="from_dtype")
    model.fit(trained_on, rows["b"])
    loaded = round_trip(model, example=trained_on.head(5), task="regression", trusted_types=())
    asked = rows.assign(c=rows["c"].astype(dtype))
    np.testing.assert_array_equal(loaded.predict(asked), model.predict(trained_on))


def test_every_trusted_type_is_named_exactly_and_exists() -> None:
    names = [*model_skops.TRUSTED_TYPES, *model_skops.TRUSTED_IF_UNCHANGED]
    assert names == list(dict.fromkeys(names))
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute), name


def test_the_list_inside_the_file_is_not_believed(tmp_path: Path, rows: pd.DataFrame) -> None:
    model = RandomForestClassifier(2).fit(rows[["b"]], rows["b"] > 0)
    folder = tmp_path / "model"
    save_model(folder, model, rows[["b"]])
    description = (folder / "MLmodel").read_bytes()
    assert b"sklearn.tree._tree.Tree" in description
    with pytest.raises(ModelRefused, match=r"sklearn\.tree\._tree\.Tree"):
        model_skops.load(
            description, (folder / "model.skops").read_bytes(), task=BINARY, trusted_types=(), unchanged=False
        )


def test_a_file_that_is_not_skops_is_refused(tmp_path: Path, rows: pd.DataFrame) -> None:
    folder = tmp_path / "model"
    save_model(folder, Ridge().fit(rows[["b"]], rows["b"]), rows[["b"]], task="regression")
    description = (folder / "MLmodel").read_bytes()
    with pytest.raises(ModelRefused, match="cannot be read: BadZipFile"):
        model_skops.load(description, b"cos\nsystem\n", task=BINARY, trusted_types=(), unchanged=True)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (b"{", "ParserError"),
        (b"flavors: {}", "KeyError"),
        (b"flavors: !!python/object/apply:os.system [id]", "ConstructorError"),
        (b'flavors: {sklearn: {}}\nsignature: {inputs: \'[{"type": "tensor"}]\'}', "KeyError"),
    ],
)
def test_a_description_that_does_not_describe_columns_is_refused(description: bytes, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        model_skops.load(description, b"", task=BINARY, trusted_types=(), unchanged=True)


def test_a_pickle_behind_a_skops_name_is_refused() -> None:
    inputs = json.dumps([{"name": "a", "type": "double"}])
    description = (
        "flavors: {sklearn: {serialization_format: cloudpickle}}\n" + f"signature: {{inputs: '{inputs}'}}"
    )
    with pytest.raises(ModelRefused, match="'cloudpickle', a format that can run code"):
        model_skops.load(description.encode(), b"", task=BINARY, trusted_types=(), unchanged=True)


class Ranker(BaseEstimator):
    """A classifier of the user's own, without probabilities."""

    def predict(self, features: Any) -> Any:
        return np.zeros(len(features))


def test_a_classifier_without_probabilities_is_refused_when_it_is_saved(
    tmp_path: Path, rows: pd.DataFrame
) -> None:
    with pytest.raises(TrainingFailed, match="Ranker has no predict_proba"):
        save_model(tmp_path / "model", Ranker(), rows)


def test_an_own_type_is_named_with_the_key_that_allows_it(tmp_path: Path, rows: pd.DataFrame) -> None:
    (own,) = skops.io.get_untrusted_types(data=skops.io.dumps(Ranker()))
    with pytest.raises(ModelRefused) as refused:
        save_model(tmp_path / "model", Ranker(), rows, task="regression")
    assert f"`training.trusted_types: [{own}]`" in str(refused.value)


def test_an_estimator_that_cannot_be_written_fails_with_the_cause(tmp_path: Path, rows: pd.DataFrame) -> None:
    model = Ranker()
    model.open_file = (tmp_path / "x").open("wb")
    with pytest.raises(TrainingFailed, match="cannot be written as a skops file"):
        save_model(tmp_path / "model", model, rows, task="regression")
    model.open_file.close()


def test_columns_are_numeric_or_categorical_by_their_values() -> None:
    frame = pd.DataFrame(
        {
            "count": [1, 2],
            "flag": [True, False],
            "share": pd.array([0.5, None], dtype="Float64"),
            "name": ["x", None],
            "level": pd.Categorical(["low", "high"]),
            "month": pd.Categorical([1, 2]),
        }
    )
    assert column_kinds(frame) == {
        "count": "numeric",
        "flag": "numeric",
        "share": "numeric",
        "name": "categorical",
        "level": "categorical",
        "month": "numeric",
    }
    with pytest.raises(DataRefused, match=r"waited \(timedelta64"):
        column_kinds(frame.assign(waited=pd.Timedelta(hours=1)))


def test_rows_get_the_dtypes_of_training_and_one_kind_of_missing_value() -> None:
    frame = pd.DataFrame({"b": [None, 2, True], "z": [0, 0, 0], "a": ["x", None, float("nan")]}, dtype=object)
    rows = conformed(frame, {"a": "categorical", "b": "numeric"})
    assert list(rows.columns) == ["a", "b"]
    np.testing.assert_array_equal(rows["b"], [np.nan, 2.0, 1.0])
    assert rows["a"].dtype == object
    assert rows["a"].tolist()[0] == "x"
    assert all(isinstance(value, float) for value in rows["a"].tolist()[1:])


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["many"], "numeric", "needs numbers in column a"),
        ([4.0], "categorical", "needs text in column a, but it holds float64"),
    ],
)
def test_a_column_of_the_other_kind_is_refused(values: list[Any], kind: Any, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        conformed(pd.DataFrame({"a": values}), {"a": kind})


def test_a_column_without_any_value_fits_both_kinds() -> None:
    rows = conformed(pd.DataFrame({"a": [None], "b": [np.nan]}), {"a": "numeric", "b": "categorical"})
    assert rows.isna().all(axis=None)


def test_an_unknown_category_is_told_as_the_models_refusal(rows: pd.DataFrame) -> None:
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"])), LogisticRegression())
    model.fit(rows[["c"]], rows["b"] > 0)
    loaded = round_trip(model, example=rows[["c"]].head(), task=BINARY, trusted_types=())
    with pytest.raises(ModelRefused, match="unknown categories"):
        loaded.predict(pd.DataFrame({"c": ["never seen"]}))


def save_model(folder: Path, estimator: Any, example: pd.DataFrame, task: Any = BINARY) -> None:
    model_skops.save(
        folder, estimator, example=example, task=task, trusted_types=(), run_id="r", model_id="m-1"
    )


@pytest.mark.parametrize("sent", [7, True])
def test_a_category_sent_as_a_number_or_a_flag_is_the_category_that_was_trained_on(sent: object) -> None:
    as_sent = np.empty(2, dtype=object)
    as_sent[:] = [sent, None]
    rows = conformed(pd.DataFrame({"store": as_sent}), {"store": "categorical"})
    assert rows["store"].tolist()[0] == str(sent)
    assert rows["store"].isna().tolist() == [False, True]


def test_a_text_is_told_from_a_category_by_its_name_alone() -> None:
    frame = pd.DataFrame({"plan": ["free"], "comment": ["so so"], "age": [3.0]}).astype({"age": float})
    assert column_kinds(frame, ["comment"]) == {"plan": "categorical", "comment": "text", "age": "numeric"}
    with pytest.raises(DataRefused, match=r"age \(numbers, not text\)"):
        column_kinds(frame, ["age"])


def test_a_missing_text_is_an_empty_one() -> None:
    rows = conformed(pd.DataFrame({"comment": ["so so", None, float("nan")]}), {"comment": "text"})
    assert rows["comment"].tolist() == ["so so", "", ""]
