"""Convergence: what fitted estimators of scikit-learn, and the warnings of their training, tell of it."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from airflow_mlops.backends.gates.convergence import measure
from airflow_mlops.backends.material import WARNINGS_FILE
from airflow_mlops.config.parts.gates_model import ConvergenceGate
from airflow_mlops.core.values import Verdict
from airflow_mlops.exceptions import DataRefused

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def judged(make_material: Any) -> Any:
    """The verdict on an estimator behind encoders."""

    def judge(estimator: Any, *, warned: list[str] | None = None, **given: Any) -> Verdict:
        settings = ConvergenceGate(type="convergence", **given).model_dump(mode="json")
        material = make_material(make_material.pipeline(estimator), files={WARNINGS_FILE: warned or []})
        verdict = measure(settings, material).verdict
        assert verdict is not None
        return verdict

    return judge


def test_a_model_that_was_done_before_its_limit_passes_with_the_count(judged: Any) -> None:
    verdict = judged(LogisticRegression(max_iter=1_000))
    assert verdict.outcome == "pass"
    assert verdict.reasons[0].startswith("LogisticRegression stopped after ")
    assert verdict.reasons[0].endswith(" of at most 1000 iterations")


def test_a_model_that_came_to_its_limit_fails_and_is_told_what_to_do(judged: Any) -> None:
    assert judged(LogisticRegression(max_iter=3)) == Verdict(
        "fail",
        ("LogisticRegression stopped at its limit of 3 iterations; raise max_iter, or scale the features",),
    )


def test_a_warning_of_the_training_fails_whatever_the_estimator_shows(judged: Any) -> None:
    verdict = judged(RandomForestClassifier(n_estimators=3), warned=["lbfgs failed", "lbfgs failed"])
    assert verdict == Verdict("fail", ("training warned: lbfgs failed",))


def test_what_is_not_fitted_in_iterations_passes(judged: Any) -> None:
    verdict = judged(RandomForestClassifier(n_estimators=3))
    assert verdict.outcome == "pass"
    assert verdict.reasons[0].startswith("training gave no ConvergenceWarning, and nothing in Pipeline")


@pytest.mark.parametrize(
    "wrapped",
    [
        CalibratedClassifierCV(LogisticRegression(max_iter=2), cv=2),
        GridSearchCV(LogisticRegression(), {"max_iter": [2]}, cv=2),
        VotingClassifier(
            [("one", LogisticRegression(max_iter=2)), ("two", RandomForestClassifier(3))], voting="soft"
        ),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1)),
    ],
    ids=["calibrated", "searched", "voting", "pipeline"],
)
def test_a_limit_is_found_inside_of_what_wraps_the_model(judged: Any, wrapped: Any) -> None:
    verdict = judged(wrapped)
    assert verdict.outcome == "fail"
    assert "LogisticRegression stopped at its limit" in verdict.reasons[0]


def test_iterations_that_were_asked_for_are_no_limit(judged: Any) -> None:
    assert judged(SGDClassifier(loss="log_loss", max_iter=5, tol=None)).outcome == "pass"


def network(**given: Any) -> Any:
    return make_pipeline(StandardScaler(), MLPClassifier((4,), random_state=0, **given))


def test_a_training_loss_that_was_still_falling_fails(judged: Any) -> None:
    verdict = judged(network(max_iter=2_000, tol=0.02, n_iter_no_change=2, learning_rate_init=0.01))
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("the training loss of MLPClassifier was still improving, by ")
    lenient = judged(
        network(max_iter=2_000, tol=0.02, n_iter_no_change=2, learning_rate_init=0.01), still_improving=0.5
    )
    assert lenient.outcome == "pass"


def test_a_network_that_stopped_by_its_validation_score_passes(judged: Any) -> None:
    verdict = judged(network(max_iter=500, early_stopping=True, learning_rate_init=0.05))
    assert verdict.outcome == "pass", verdict.reasons


@pytest.mark.parametrize(
    ("estimator", "advice"),
    [
        (HistGradientBoostingClassifier(max_iter=10), "early_stopping: true"),
        (GradientBoostingClassifier(n_estimators=10), "n_iter_no_change: 10"),
    ],
    ids=["histograms", "exact"],
)
def test_boosting_that_ran_all_its_rounds_unseen_is_inconclusive(
    judged: Any, estimator: Any, advice: str
) -> None:
    verdict = judged(estimator)
    assert verdict.outcome == "inconclusive"
    assert "ran all its 10 rounds" in verdict.reasons[0]
    assert advice in verdict.reasons[0]


def test_boosting_is_judged_by_its_validation_score(judged: Any) -> None:
    short = judged(HistGradientBoostingClassifier(max_iter=8, early_stopping=True, random_state=0))
    assert short.outcome == "fail"
    assert "validation score of HistGradientBoostingClassifier was still improving" in short.reasons[0]
    long = judged(HistGradientBoostingClassifier(max_iter=500, early_stopping=True, random_state=0))
    assert long.outcome == "pass", long.reasons
    exact = judged(GradientBoostingClassifier(n_estimators=500, n_iter_no_change=5, random_state=0))
    assert exact.outcome == "pass", exact.reasons


def test_a_model_that_hides_its_estimator_cannot_be_judged(make_material: Any) -> None:
    class Hidden:
        def predict(self, features: Any) -> Any:
            return features["age"]

    settings = ConvergenceGate(type="convergence").model_dump(mode="json")
    with pytest.raises(DataRefused, match="does not show its estimator"):
        measure(settings, make_material(model=Hidden()))
