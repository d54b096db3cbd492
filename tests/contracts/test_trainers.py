"""What every trainer holds to: a fitted estimator that predicts raw rows, or a reason why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.base import Trainer
from airflow_mlops.backends.model_skops import SkopsModel
from airflow_mlops.backends.scratch import scratch_backends
from airflow_mlops.backends.trainer_callable import CallableTrainer
from airflow_mlops.backends.trainer_sklearn import EstimatorTrainer
from airflow_mlops.exceptions import ConfigError, DataRefused, TrainingFailed

OWN_CODE = """
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.ensemble import RandomForestClassifier
def train(features, label, params, seed):
    features["carrier"] = "changed by the user's code"
    label.iloc[:] = label.iloc[::-1]
    numbers = ColumnTransformer([("numbers", "passthrough", ["distance", "hour"])])
    forest = RandomForestClassifier(5, random_state=seed, **params)
    return make_pipeline(numbers, forest).fit(features, label)
"""


@pytest.fixture(params=["callable", "hist gradient boosting", "logistic regression"])
def trainer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    match request.param:
        case "callable":
            (tmp_path / "own_training.py").write_text(OWN_CODE)
            monkeypatch.syspath_prepend(tmp_path)
            monkeypatch.delitem(__import__("sys").modules, "own_training", raising=False)
            return CallableTrainer("own_training:train")
        case "hist gradient boosting":
            return EstimatorTrainer("sklearn.ensemble.HistGradientBoostingClassifier")
        case _:
            return EstimatorTrainer("sklearn.linear_model.LogisticRegression")


def flights(rows: int = 300) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(0)
    carrier = random.choice(["AA", "DL", "UA"], rows)
    frame = pd.DataFrame(
        {
            "distance": random.normal(500, 100, rows),
            "carrier": pd.Series(carrier).astype(object),
            "hour": random.integers(0, 24, rows).astype(float),
        }
    )
    late = (random.random(rows) < np.where(carrier == "AA", 0.9, 0.1)).astype(int)
    return frame, pd.Series(late, name="late")


def test_the_result_predicts_the_rows_as_they_come(trainer: Trainer) -> None:
    features, label = flights()
    estimator = trainer.fit(features, label, {}, seed=7)
    answers = estimator.predict_proba(features[["distance", "hour", "carrier"]])
    assert answers.shape == (300, 2)
    assert np.isfinite(answers).all()


def test_the_same_seed_gives_the_same_model(trainer: Trainer) -> None:
    features, label = flights()
    first, second = (trainer.fit(features, label, {}, seed=7).predict_proba(features) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_training_leaves_its_input_as_it_was(trainer: Trainer) -> None:
    features, label = flights()
    trainer.fit(features, label, {}, seed=7)
    pd.testing.assert_frame_equal(features, flights()[0])
    pd.testing.assert_series_equal(label, flights()[1])


def test_a_label_with_nulls_is_refused_with_their_count(trainer: Trainer) -> None:
    features, label = flights()
    with pytest.raises(DataRefused, match="the label 'late' is null in 300 of 300 rows"):
        trainer.fit(features, label.astype(float) * np.nan, {}, seed=7)
    with pytest.raises(DataRefused, match="the label 'late' is null in 5 of 300 rows"):
        trainer.fit(features, label.astype(float).mask(label.index < 5), {}, seed=7)


def test_no_rows_are_refused(trainer: Trainer) -> None:
    features, label = flights()
    with pytest.raises(DataRefused, match="no rows to train on"):
        trainer.fit(features.head(0), label.head(0), {}, seed=7)


def test_a_parameter_that_the_model_does_not_know_is_named(trainer: Trainer) -> None:
    features, label = flights()
    with pytest.raises(TrainingFailed, match="max_itr"):
        trainer.fit(features, label, {"max_itr": 5}, seed=7)


def test_a_value_that_a_parameter_does_not_take_is_named(trainer: Trainer) -> None:
    features, label = flights()
    name = "max_depth" if isinstance(trainer, CallableTrainer) else "max_iter"
    with pytest.raises(TrainingFailed, match=f"'{name}' parameter .* must be") as caught:
        trainer.fit(features, label, {name: "many"}, seed=7)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("kind", [CallableTrainer, EstimatorTrainer])
def test_a_path_that_leads_nowhere_is_named(kind: Callable[[str], Trainer]) -> None:
    features, label = flights(20)
    with pytest.raises(ConfigError, match="no_such_package"):
        kind("no_such_package.models:Model").fit(features, label, {}, 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return None", "returned nothing; return the fitted estimator"),
        ("pass", "returned nothing"),
        ("return {'model': 1}", "returned dict, which has no predict()"),
        ("raise MemoryError('8 GiB')", "raised MemoryError (at "),
        ("return features['distnce']", "raised KeyError (at "),
    ],
)
def test_training_code_that_gives_nothing_usable_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"training_{tmp_path.name}".replace("-", "_").rstrip("_")
    (tmp_path / f"{name}.py").write_text(f"def train(features, label, params, seed):\n    {body}\n")
    features, label = flights(20)
    with pytest.raises(TrainingFailed) as caught:
        CallableTrainer(f"{name}:train").fit(features, label, {}, 0)
    assert told in str(caught.value)
    if "raised" in told:
        assert caught.value.__cause__ is not None


def fitted(path: str, features: pd.DataFrame, label: Any, **params: Any) -> Any:
    return EstimatorTrainer(path).fit(features, pd.Series(label, name="late"), params, seed=1)


def test_the_seed_decides_unless_the_params_name_another() -> None:
    features, label = flights()

    def answers(seed: int, **params: Any) -> Any:
        trainer = EstimatorTrainer("sklearn.ensemble.RandomForestClassifier")
        return trainer.fit(features, label, {"n_estimators": 5, **params}, seed).predict_proba(features)

    assert (answers(1) == answers(1)).all()
    assert (answers(1) != answers(2)).any()
    assert (answers(1, random_state=3) == answers(2, random_state=3)).all()


def test_a_classifier_refuses_one_class_and_a_regressor_does_not() -> None:
    features, _ = flights(30)
    with pytest.raises(DataRefused, match="all 30 rows have one and the same label 'late'"):
        fitted("sklearn.ensemble.HistGradientBoostingClassifier", features, [1] * 30)
    model = fitted("sklearn.ensemble.HistGradientBoostingRegressor", features, [1.0] * 30)
    assert model.predict(features.head(1)) == pytest.approx([1.0])


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.naive_bayes.GaussianNB",
    ],
)
def test_missing_and_unseen_values_get_an_answer(path: str) -> None:
    features, label = flights()
    holes = features.copy()
    holes.loc[:50, "distance"] = np.nan
    holes.loc[20:70, "carrier"] = None
    model = fitted(path, holes, label)
    odd = pd.DataFrame(
        {"distance": [np.nan, 1.0, 2.0], "carrier": ["never seen", None, np.nan], "hour": [1.0, np.nan, 3]}
    )
    assert np.isfinite(model.predict_proba(odd)).all()


def test_a_category_is_learnt_as_a_category_by_histogram_boosting() -> None:
    random = np.random.default_rng(1)
    codes = random.integers(0, 40, 4_000)
    label = (codes % 2 == 0).astype(int)
    features = pd.DataFrame({"noise": random.normal(size=4_000), "gate": [f"g{code:02}" for code in codes]})
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    model = fitted(path, features, label, max_iter=1, max_leaf_nodes=2)
    assert (model.predict(features) == label).all()


def test_more_categories_than_bins_are_grouped_and_not_refused() -> None:
    random = np.random.default_rng(1)
    features = pd.DataFrame({"tail": [f"N{code}" for code in random.integers(0, 900, 5_000)]})
    label = random.integers(0, 2, 5_000)
    for bins in (255, 16):
        model = fitted("sklearn.ensemble.HistGradientBoostingClassifier", features, label, max_bins=bins)
        assert model.predict_proba(features).shape == (5_000, 2)


@pytest.mark.parametrize("dtype", ["category", "object", "str"])
def test_text_is_a_category_in_every_type_of_pandas(dtype: str) -> None:
    features, label = flights()
    typed = features.assign(carrier=features["carrier"].astype(dtype))
    model = fitted("sklearn.ensemble.HistGradientBoostingClassifier", typed, label)
    np.testing.assert_allclose(model.predict_proba(features), model.predict_proba(typed))


def test_a_feature_that_is_neither_number_nor_text_is_named() -> None:
    features, label = flights(30)
    features["at"] = pd.Timestamp("2025-01-01")
    with pytest.raises(DataRefused, match=r"neither numbers nor text: at \(datetime64"):
        fitted("sklearn.ensemble.HistGradientBoostingClassifier", features, label)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("sklearn.svm.LinearSVC", "gives no probabilities"),
        ("sklearn.metrics.roc_auc_score", "is no scikit-learn estimator class"),
        ("collections.OrderedDict", "is no scikit-learn estimator class"),
    ],
)
def test_what_is_no_usable_estimator_is_refused(path: str, told: str) -> None:
    features, label = flights(30)
    with pytest.raises(TrainingFailed, match=told):
        fitted(path, features, label)


def test_a_near_parameter_name_is_offered() -> None:
    features, label = flights(30)
    with pytest.raises(TrainingFailed, match="Did you mean 'max_iter'"):
        fitted("sklearn.ensemble.HistGradientBoostingClassifier", features, label, max_itr=3)


def test_the_pipeline_is_kept_and_loaded_by_skops_with_the_types_that_are_trusted() -> None:
    import skops.io

    from airflow_mlops.backends.model_skops import TRUSTED_IF_UNCHANGED, TRUSTED_TYPES

    trusted = [*TRUSTED_TYPES, *TRUSTED_IF_UNCHANGED]
    features, label = flights()
    for path in (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.linear_model.LogisticRegression",
    ):
        model = fitted(path, features, label)
        again = skops.io.loads(skops.io.dumps(model), trusted=trusted)
        np.testing.assert_array_equal(again.predict_proba(features), model.predict_proba(features))


def saved_and_loaded(model: Any, features: pd.DataFrame, folder: Path) -> SkopsModel:
    """As a server would have it. No type is trusted beyond those that always are."""
    tracking = scratch_backends(folder).tracking
    run = tracking.log_training(
        experiment="flights",
        run_name="",
        run_key="",
        estimator=model,
        input_example=features,
        task="binary_classification",
        params={},
        tags={},
        dataset_uri="",
        dataset_version="",
        trusted_types=(),
        texts=["comment"],
    )
    return tracking.load(run.model_uri)


def commented(rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(1)
    late = random.integers(0, 2, rows)
    comment = [
        f"{'verspätet, schon wieder' if one else 'alles pünktlich'} Nr {n}" for n, one in enumerate(late)
    ]
    frame = pd.DataFrame(
        {
            "comment": pd.Series(comment).astype(object),
            "carrier": pd.Series(random.choice(["AA", "DL"], rows)).astype(object),
            "hour": random.normal(size=rows),
        }
    )
    return frame, pd.Series(late, name="late")


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("sklearn.linear_model.LogisticRegression", 20_000),
        ("sklearn.ensemble.HistGradientBoostingClassifier", 300),
    ],
)
def test_a_text_is_its_words_and_needs_no_trusted_types(path: str, most: int, tmp_path: Path) -> None:
    features, label = commented()
    model = EstimatorTrainer(path).fit(features, label, {}, 0, texts=["comment"])
    loaded = saved_and_loaded(model, features, tmp_path)
    assert loaded.columns == {"comment": "text", "carrier": "categorical", "hour": "numeric"}
    asked = pd.DataFrame(
        {
            "comment": ["SCHON WIEDER verspätet", "Alles pünktlich!", None],
            "carrier": ["AA"] * 3,
            "hour": [0.0] * 3,
        }
    )
    late, on_time, unknown = loaded.predict(asked)
    assert late > 0.8 > 0.2 > on_time
    assert np.isfinite(unknown)
    words = model.named_steps["encoders"].named_transformers_["words of comment"]
    assert words.max_features == most
    assert {"verspätet", "schon wieder"} <= words.vocabulary_.keys()


def test_a_text_without_a_word_is_refused_by_its_name() -> None:
    features, label = commented()
    with pytest.raises(
        DataRefused, match="no row has a word of two letters or more in the text column 'comment'"
    ):
        EstimatorTrainer("sklearn.linear_model.LogisticRegression").fit(
            features.assign(comment="- 1 ?"), label, {}, 0, texts=["comment"]
        )


def test_words_of_any_alphabet_are_words() -> None:
    features, label = commented()
    russian = features.assign(comment=np.where(label == 1, "опоздал", "вовремя"))
    model = EstimatorTrainer("sklearn.linear_model.LogisticRegression").fit(
        russian, label, {}, 0, texts=["comment"]
    )
    assert model.score(russian, label) == 1
