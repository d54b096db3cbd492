"""What every scorer holds to: scikit-learn's values, and intervals that a bootstrap confirms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from airflow_mlops.backends.base import Metrics
from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.core.values import TaskKind
from airflow_mlops.exceptions import DataRefused

BINARY, MANY, REGRESSION = "binary_classification", "multiclass_classification", "regression"
Scored = tuple[Any, Any, Any]


@pytest.fixture(params=["influence"])
def metrics_of(request: pytest.FixtureRequest) -> Callable[[TaskKind], Metrics]:
    return InfluenceMetrics


def binary(rows: int = 800, seed: int = 0) -> Scored:
    """Labels and two correlated models' probabilities, rounded so that there are ties."""
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.25).astype(int)
    shared = random.normal(size=rows)
    better = 1 / (1 + np.exp(-(1.4 * label - 1.2 + shared + 0.4 * random.normal(size=rows))))
    worse = 1 / (1 + np.exp(-(0.9 * label - 1.2 + shared + 0.8 * random.normal(size=rows))))
    return label, better.round(2).clip(0.01, 0.99), worse.round(2).clip(0.01, 0.99)


def many(rows: int = 800, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    label = random.integers(0, 3, rows)
    shared = random.normal(size=(rows, 3))
    logits = [2.0 * np.eye(3)[label] + shared, 1.2 * np.eye(3)[label] + shared]
    better, worse = (np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in logits)
    return label, better, worse


def regression(rows: int = 800, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    label = random.normal(10, 5, rows)
    shared = random.normal(size=rows)
    return label, label + shared, label + 1.2 * shared + random.normal(0, 0.5, rows)


MADE = {BINARY: binary, MANY: many, REGRESSION: regression}
OURS: dict[tuple[str, str], Callable[[Any, Any], float]] = {
    (BINARY, "roc_auc"): sk.roc_auc_score,
    (BINARY, "log_loss"): sk.log_loss,
    (BINARY, "average_precision"): sk.average_precision_score,
    (BINARY, "brier_score"): sk.brier_score_loss,
    (BINARY, "accuracy"): lambda label, score: sk.accuracy_score(label, score >= 0.5),
    (BINARY, "f1"): lambda label, score: sk.f1_score(label, score >= 0.5),
    (MANY, "log_loss"): lambda label, score: sk.log_loss(label, score, labels=[0, 1, 2]),
    (MANY, "accuracy"): lambda label, score: sk.accuracy_score(label, score.argmax(axis=1)),
    (MANY, "f1"): lambda label, score: sk.f1_score(label, score.argmax(axis=1), average="macro"),
    (REGRESSION, "mean_absolute_error"): sk.mean_absolute_error,
    (REGRESSION, "root_mean_squared_error"): sk.root_mean_squared_error,
    (REGRESSION, "r2"): sk.r2_score,
}
EVERY = sorted(OURS)


def test_every_metric_that_a_yaml_may_name_is_here() -> None:
    assert {(task, name) for task, names in METRICS_OF.items() for name in names} == set(OURS)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_value_is_scikit_learns(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task]()
    for score in (better, worse):
        estimate = metrics_of(task).score([name], label, score, 0.95)[name]
        assert estimate.value == pytest.approx(OURS[task, name](label, score), abs=1e-12)
        assert estimate.low < estimate.value < estimate.high


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_bootstrap_confirms_both_intervals(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task]()
    random, single, paired = np.random.default_rng(1), [], []
    for _ in range(600):
        rows = random.integers(0, len(label), len(label))
        one = OURS[task, name](label[rows], better[rows])
        single.append(one)
        paired.append(one - OURS[task, name](label[rows], worse[rows]))
    score = metrics_of(task).score([name], label, better, 0.95)[name]
    difference = metrics_of(task).difference([name], label, better, worse, 0.95)[name]
    for estimate, sample in ((score, single), (difference, paired)):
        low, high = np.quantile(sample, [0.025, 0.975])
        assert estimate.high - estimate.low == pytest.approx(high - low, rel=0.15)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.2 * (high - low))


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_difference_is_the_difference_of_the_scores_and_zero_for_equal_models(
    metrics_of: Any, task: TaskKind, name: str
) -> None:
    label, better, worse = MADE[task]()
    scorer = metrics_of(task)
    one, other = (scorer.score([name], label, score, 0.9)[name].value for score in (better, worse))
    difference = scorer.difference([name], label, better, worse, 0.9)[name]
    assert difference.value == pytest.approx(one - other, abs=1e-12)
    same = scorer.difference([name], label, better, better, 0.9)[name]
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), EVERY)
def test_nineteen_of_twenty_intervals_hold_the_truth(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task](400_000, seed=99)
    truth = OURS[task, name](label, better)
    gap = truth - OURS[task, name](label, worse)
    held = held_gap = 0
    for seed in range(400):
        label, better, worse = MADE[task](400, seed)
        score = metrics_of(task).score([name], label, better, 0.95)[name]
        difference = metrics_of(task).difference([name], label, better, worse, 0.95)[name]
        held += score.low <= truth <= score.high
        held_gap += difference.low <= gap <= difference.high
    assert 0.91 <= held / 400 <= 0.99
    assert 0.91 <= held_gap / 400 <= 0.99


def test_delongs_variance_is_the_published_one(metrics_of: Any) -> None:
    """Placement values written out pair by pair, as in DeLong, DeLong and Clarke-Pearson (1988)."""
    label, better, worse = binary(120)

    def placements(score: Any) -> tuple[Any, Any]:
        above = score[label == 1][:, None] - score[label == 0][None, :]
        kernel = (above > 0) + 0.5 * (above == 0)
        return kernel.mean(axis=1), kernel.mean(axis=0)

    ours, theirs = placements(better), placements(worse)
    variance = sum(np.var(one - two, ddof=1) / len(one) for one, two in zip(ours, theirs, strict=True))
    difference = metrics_of(BINARY).difference(["roc_auc"], label, better, worse, 0.95)["roc_auc"]
    assert difference.high - difference.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-5)


def test_a_higher_confidence_is_a_wider_interval(metrics_of: Any) -> None:
    label, better, _ = binary()
    narrow, wide = (metrics_of(BINARY).score(["roc_auc"], label, better, c)["roc_auc"] for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_perfect_score_on_few_rows_is_no_proof_of_perfection(metrics_of: Any) -> None:
    label = np.array([0] * 30 + [1] * 10)
    scores = metrics_of(BINARY).score(["roc_auc", "f1", "accuracy"], label, label * 0.98 + 0.01, 0.95)
    assert {estimate.value for estimate in scores.values()} == {1.0}
    assert scores["roc_auc"].low == pytest.approx(0.025 ** (1 / 10))
    assert scores["accuracy"].low == pytest.approx(0.025 ** (1 / 40))


def test_a_certain_and_wrong_prediction_has_a_finite_loss(metrics_of: Any) -> None:
    label, score = np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert metrics_of(BINARY).score(["log_loss"], label, score, 0.95)["log_loss"].value == pytest.approx(
        sk.log_loss(label, score)
    )


@pytest.mark.parametrize("kind", [bool, "int8", float, "boolean", "Int64", object])
def test_binary_labels_come_in_every_type(metrics_of: Any, kind: Any) -> None:
    label, better, _ = binary()
    typed = pd.Series(label).astype(kind)
    value = metrics_of(BINARY).score(["roc_auc"], typed, pd.Series(better), 0.95)["roc_auc"].value
    assert value == pytest.approx(sk.roc_auc_score(label, better))


def test_classes_may_be_names(metrics_of: Any) -> None:
    label, better, _ = many()
    names = np.array(["a", "b", "c"])[label]
    scorer = metrics_of(MANY)
    for kind in (names, pd.Series(names), pd.Series(names, dtype=object)):
        named = scorer.score(["log_loss", "f1"], kind, better, 0.95)
        assert named == scorer.score(["log_loss", "f1"], label, better, 0.95)


REFUSED = [
    (BINARY, "roc_auc", [1] * 4, [0.1, 0.2, 0.3, 0.4], "all 4 labels are 1"),
    (BINARY, "log_loss", [0] * 4, [0.1, 0.2, 0.3, 0.4], "all 4 labels are 0"),
    (BINARY, "f1", [1, 2], [0.1, 0.2], "0 and 1, or false and true; these are 1, 2"),
    (BINARY, "f1", [0, "no"], [0.1, 0.2], "these are 0, no"),
    (BINARY, "f1", pd.Series([0, "no"]), [0.1, 0.2], "the labels mix types"),
    (BINARY, "f1", ["no", "yes"], [0.1, 0.2], "these are no, yes"),
    (BINARY, "f1", [0, 1, None], [0.1, 0.2, 0.3], "1 of 3 labels are null"),
    (BINARY, "f1", [0, 1], [0.1, float("nan")], "1 of 2 predictions are null or not finite"),
    (BINARY, "f1", [0, 1], [[0.1, 0.9], [0.5, 0.5]], "one number a row, these have 2 columns"),
    (BINARY, "f1", [0, 1, 1], [0.1, 0.9], "3 labels do not fit 2 predictions"),
    (BINARY, "f1", [], [], "no rows to score"),
    (BINARY, "f2", [0, 1], [0.1, 0.9], "no metric 'f2'; there are: roc_auc"),
    (MANY, "f1", ["a", "a"], [[0.1, 0.9], [0.5, 0.5]], "all 2 labels are a"),
    (MANY, "f1", ["a", "b"], [[0.1, 0.8, 0.1], [0.5, 0.4, 0.1]], "2 classes (a, b), the predictions 3"),
    (REGRESSION, "r2", [2.0, 2.0], [1.0, 2.0], "r2 is undefined: all 2 labels are 2"),
    (REGRESSION, "r2", ["x", "y"], [1.0, 2.0], "the labels of a regression are numbers"),
    (REGRESSION, "r2", [2.0, 1.0], ["x", "y"], "the predictions are no numbers"),
]


@pytest.mark.parametrize(("task", "name", "label", "score", "told"), REFUSED)
def test_what_cannot_be_scored_is_refused_with_the_reason(
    metrics_of: Any, task: TaskKind, name: str, label: Any, score: Any, told: str
) -> None:
    with pytest.raises(DataRefused) as caught:
        metrics_of(task).score([name], label, score, 0.95)
    assert told in str(caught.value)


def test_one_row_of_a_class_gives_no_interval_of_a_ranking(
    metrics_of: Callable[[TaskKind], Metrics],
) -> None:
    label, better, worse = binary()
    label = np.zeros_like(label)
    label[3] = 1
    with pytest.raises(DataRefused, match="of 800 labels 1 are 1: an interval of roc_auc needs two"):
        metrics_of(BINARY).difference(["log_loss", "roc_auc"], label, better, worse, 0.95)
    assert metrics_of(BINARY).score(["log_loss"], label, better, 0.95)["log_loss"].value > 0
