"""What every scorer holds to: scikit-learn's values, and intervals that a bootstrap confirms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.scoring import Beside, Metrics
from airflow_mlops.config.parts.metrics import METRICS_OF
from airflow_mlops.core.metrics import METRICS, MetricSpec, Outcomes, Scoring, is_mean_of_rows
from airflow_mlops.core.values import TaskKind
from airflow_mlops.exceptions import ConfigError, DataRefused, TrainingFailed

BINARY, MANY, REGRESSION = "binary_classification", "multiclass_classification", "regression"
RANKING, FORECAST = "ranking", "forecasting"
OF_QUERY = 8
Scored = tuple[Any, Any, Any]


@pytest.fixture(params=["influence"])
def metrics_of(request: pytest.FixtureRequest) -> Callable[..., Metrics]:
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
    label = random.gamma(4, 3, rows) + 1
    shared = random.normal(size=rows)
    return label, label + 0.5 * shared, label + 0.6 * shared + random.normal(0, 0.5, rows)


def ranking(rows: int = 800, seed: int = 0) -> Scored:
    """Grades and two models' scores of queries of eight rows, rounded so that there are ties."""
    random = np.random.default_rng(seed)
    label = random.choice([0, 0, 0, 1, 2], rows)
    shared = random.normal(size=rows)
    return label, (label + shared).round(1), (0.6 * label + shared + 0.5 * random.normal(size=rows)).round(1)


def beside(task: str, rows: int = 800) -> Beside:
    return Beside(groups=np.arange(rows) // OF_QUERY) if task == RANKING else Beside()


def by_query(of: Callable[[Any, Any], float]) -> Callable[[Any, Any], float]:
    """The mean over queries of what scikit-learn says of each."""

    def mean(label: Any, score: Any) -> float:
        pairs = zip(label.reshape(-1, OF_QUERY), score.reshape(-1, OF_QUERY), strict=True)
        return float(np.mean([of(one, other) for one, other in pairs]))

    return mean


def first_relevant(label: Any, score: Any) -> float:
    ranks = (score[None, :] >= score[:, None]).sum(axis=1)
    return float(max((1 / ranks)[label > 0], default=0.0))


def of_relevant(label: Any, score: Any) -> float:
    return float(sk.average_precision_score(label > 0, score)) if label.any() else 0.0


def naive_share(label: Any, score: Any) -> float:
    return float(np.abs(label - score).mean() / np.abs(np.diff(label)).mean())


MADE = {BINARY: binary, MANY: many, REGRESSION: regression, RANKING: ranking, FORECAST: regression}


def decided(metric: Callable[..., float], **given: Any) -> Callable[[Any, Any], float]:
    return lambda label, score: metric(label, score >= 0.5, **given)


def chosen(metric: Callable[..., float], **given: Any) -> Callable[[Any, Any], float]:
    return lambda label, score: metric(label, score.argmax(axis=1), **given)


NUMBERS: dict[str, Callable[[Any, Any], float]] = {
    "mean_absolute_error": sk.mean_absolute_error,
    "mean_squared_error": sk.mean_squared_error,
    "root_mean_squared_error": sk.root_mean_squared_error,
    "median_absolute_error": sk.median_absolute_error,
    "max_error": sk.max_error,
    "mean_absolute_percentage_error": sk.mean_absolute_percentage_error,
    "mean_squared_log_error": sk.mean_squared_log_error,
    "root_mean_squared_log_error": sk.root_mean_squared_log_error,
    "mean_pinball_loss": sk.mean_pinball_loss,
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "d2_absolute_error_score": sk.d2_absolute_error_score,
}
OURS: dict[tuple[str, str], Callable[[Any, Any], float]] = {
    (BINARY, "roc_auc"): sk.roc_auc_score,
    (BINARY, "log_loss"): sk.log_loss,
    (BINARY, "average_precision"): sk.average_precision_score,
    (BINARY, "brier_score"): sk.brier_score_loss,
    (BINARY, "accuracy"): decided(sk.accuracy_score),
    (BINARY, "balanced_accuracy"): decided(sk.balanced_accuracy_score),
    (BINARY, "f1"): decided(sk.f1_score),
    (BINARY, "precision"): decided(sk.precision_score),
    (BINARY, "recall"): decided(sk.recall_score),
    (BINARY, "jaccard"): decided(sk.jaccard_score),
    (BINARY, "matthews_corrcoef"): decided(sk.matthews_corrcoef),
    (MANY, "log_loss"): lambda label, score: sk.log_loss(label, score, labels=[0, 1, 2]),
    (MANY, "accuracy"): chosen(sk.accuracy_score),
    (MANY, "balanced_accuracy"): chosen(sk.balanced_accuracy_score),
    (MANY, "f1"): chosen(sk.f1_score, average="macro"),
    (MANY, "f1_macro"): chosen(sk.f1_score, average="macro"),
    (MANY, "f1_weighted"): chosen(sk.f1_score, average="weighted"),
    (MANY, "precision_macro"): chosen(sk.precision_score, average="macro"),
    (MANY, "recall_macro"): chosen(sk.recall_score, average="macro"),
    (MANY, "matthews_corrcoef"): chosen(sk.matthews_corrcoef),
    (MANY, "roc_auc_ovr"): lambda label, score: sk.roc_auc_score(label, score, multi_class="ovr"),
    (MANY, "top_k_accuracy"): sk.top_k_accuracy_score,
    **{(REGRESSION, name): of for name, of in NUMBERS.items()},
    **{(FORECAST, name): of for name, of in NUMBERS.items()},
    (FORECAST, "symmetric_mean_absolute_percentage_error"): lambda label, score: float(
        np.mean(2 * np.abs(label - score) / (np.abs(label) + np.abs(score)))
    ),
    (FORECAST, "weighted_absolute_percentage_error"): lambda label, score: float(
        np.abs(label - score).sum() / np.abs(label).sum()
    ),
    (FORECAST, "mean_absolute_scaled_error"): naive_share,
    (RANKING, "ndcg"): by_query(lambda label, score: sk.ndcg_score([label], [score])),
    (RANKING, "dcg"): by_query(lambda label, score: sk.dcg_score([label], [score])),
    (RANKING, "mean_reciprocal_rank"): by_query(first_relevant),
    (RANKING, "mean_average_precision"): by_query(of_relevant),
}
EVERY = sorted(OURS)
ONCE = [(task, name) for task, name in EVERY if task != FORECAST or name not in NUMBERS]
WITH_ENDS = [(task, name) for task, name in ONCE if name != "max_error"]
# What a slow simulation is worth for: one of each kind of statistic, and all that moves are decided by.
LOOKED_AT = [
    *((BINARY, name) for name in ("roc_auc", "log_loss", "average_precision", "accuracy", "f1", "precision")),
    *((BINARY, name) for name in ("matthews_corrcoef", "recall")),
    *((MANY, name) for name in ("f1", "roc_auc_ovr")),
    *((REGRESSION, name) for name in ("root_mean_squared_error", "median_absolute_error", "r2")),
    (REGRESSION, "d2_absolute_error_score"),
    (RANKING, "ndcg"),
]


def test_every_metric_that_a_yaml_may_name_is_here() -> None:
    assert {(task, name) for task, names in METRICS_OF.items() for name in names} == set(OURS)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_value_is_scikit_learns(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task]()
    for score in (better, worse):
        estimate = metrics_of(task).score([name], label, score, 0.95, beside=beside(task))[name]
        assert estimate.value == pytest.approx(OURS[task, name](label, score), rel=1e-12, abs=1e-12)
        if name != "max_error":
            assert estimate.low < estimate.value < estimate.high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name"), [one for one in LOOKED_AT if one[1] not in ("ndcg", "roc_auc_ovr")]
)
def test_a_bootstrap_of_scikit_learns_values_confirms_both_intervals(
    metrics_of: Any, task: TaskKind, name: str
) -> None:
    label, better, worse = MADE[task]()
    random, single, paired = np.random.default_rng(1), [], []
    for _ in range(400):
        rows = random.integers(0, len(label), len(label))
        one = OURS[task, name](label[rows], better[rows])
        single.append(one)
        paired.append(one - OURS[task, name](label[rows], worse[rows]))
    score = metrics_of(task).score([name], label, better, 0.95, beside=beside(task))[name]
    difference = metrics_of(task).difference([name], label, better, worse, 0.95, beside=beside(task))[name]
    for estimate, sample in ((score, single), (difference, paired)):
        low, high = np.quantile(sample, [0.025, 0.975])
        assert estimate.high - estimate.low == pytest.approx(high - low, rel=0.2)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.2 * (high - low))


@pytest.mark.parametrize(("task", "name"), WITH_ENDS)
def test_bootstrap_and_influence_agree(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task]()
    plain, drawn = metrics_of(task), metrics_of(task, Scoring(method="bootstrap"))
    for call in (
        lambda scorer: scorer.score([name], label, better, 0.95, beside=beside(task)),
        lambda scorer: scorer.difference([name], label, better, worse, 0.95, beside=beside(task)),
    ):
        one, other = call(plain)[name], call(drawn)[name]
        assert other == call(drawn)[name], "equal seeds draw equally"
        assert other.value == pytest.approx(one.value, abs=1e-12)
        width = one.high - one.low
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=0.15 * width)


# The value of the others is of the order of rows in time, or of groups: of a row three times it is another.
WITHOUT_ORDER = [
    (task, name) for task, name in WITH_ENDS if task != RANKING and name != "mean_absolute_scaled_error"
]


@pytest.mark.parametrize(("task", "name"), WITHOUT_ORDER)
def test_rows_that_come_in_groups_count_once(metrics_of: Any, task: TaskKind, name: str) -> None:
    """Each row three times tells no more than once; without groups it would seem to."""
    label, better, worse = MADE[task](400)
    three = [np.repeat(one, 3, axis=0) for one in (label, better, worse)]
    grouped = Beside(groups=np.repeat(np.arange(400), 3))
    for method in ("auto", "bootstrap"):
        scorer = metrics_of(task, Scoring(method=method))
        once = scorer.difference([name], label, better, worse, 0.95)[name]
        thrice = scorer.difference([name], *three, 0.95, beside=grouped)[name]
        assert thrice.value == pytest.approx(once.value, abs=1e-12)
        width = once.high - once.low
        assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.15 * width)
        single = scorer.score([name], label, better, 0.95)[name]
        same = scorer.score([name], *three[:2], 0.95, beside=grouped)[name]
        width = single.high - single.low
        assert (same.low, same.high) == pytest.approx((single.low, single.high), abs=0.15 * width)


@pytest.mark.parametrize(("task", "name"), WITH_ENDS)
@pytest.mark.parametrize("method", ["auto", "bootstrap"])
def test_a_test_and_an_interval_never_disagree(
    metrics_of: Any, task: TaskKind, name: str, method: Any
) -> None:
    label, better, worse = MADE[task](400)
    scorer, about = metrics_of(task, Scoring(method=method)), beside(task, 400)
    score = scorer.score([name], label, better, 0.95, beside=about)[name]
    difference = scorer.difference([name], label, better, worse, 0.95, beside=about)[name]
    for estimate, against in ((score, None), (difference, worse)):
        if estimate.high == METRICS[name].high or estimate.low == METRICS[name].low:
            continue
        at_low, at_high = (
            scorer.test(name, label, better, bound, against=against, beside=about)
            for bound in (estimate.low, estimate.high)
        )
        for p_value in (at_low.above, at_high.below):
            if method == "auto":
                assert p_value == pytest.approx(0.025, abs=1e-6)
            else:  # of resamples that are equal to the bound, all count
                assert 0.025 <= p_value < 0.05
        assert scorer.test(name, label, better, estimate.high + 1, against=against, beside=about).below < 0.01


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_difference_is_the_difference_of_the_scores_and_zero_for_equal_models(
    metrics_of: Any, task: TaskKind, name: str
) -> None:
    label, better, worse = MADE[task]()
    scorer = metrics_of(task)
    about = beside(task)
    one, other = (
        scorer.score([name], label, score, 0.9, beside=about)[name].value for score in (better, worse)
    )
    difference = scorer.difference([name], label, better, worse, 0.9, beside=about)[name]
    assert difference.value == pytest.approx(one - other, abs=1e-12)
    same = scorer.difference([name], label, better, better, 0.9, beside=about)[name]
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), LOOKED_AT)
def test_nineteen_of_twenty_intervals_hold_the_truth(metrics_of: Any, task: TaskKind, name: str) -> None:
    label, better, worse = MADE[task](80_000 if task == RANKING else 400_000, seed=99)
    truth = OURS[task, name](label, better)
    gap = truth - OURS[task, name](label, worse)
    held, held_gap, about = 0, 0, beside(task, 400)
    for seed in range(400):
        label, better, worse = MADE[task](400, seed)
        score = metrics_of(task).score([name], label, better, 0.95, beside=about)[name]
        difference = metrics_of(task).difference([name], label, better, worse, 0.95, beside=about)[name]
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
    assert scores["accuracy"].low == pytest.approx(40 / (40 + 1.959964**2)), "Wilson's"


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


def lost(label: Any, prediction: Any, rows: Any, *, per_row: bool = False) -> Any:
    """A user's metric: the mean absolute error in the unit of a column, or each row's."""
    each = np.abs(label - prediction) * (1 if rows is None else rows["unit"].to_numpy())
    return each if per_row else each.mean()


def broken(label: Any, prediction: Any, rows: Any) -> Any:
    raise KeyError("volume")


def shapeless(label: Any, prediction: Any, rows: Any) -> Any:
    return [[0.0, 1.0]]


HERE = f"{__name__}"


def own(function: str, **params: Any) -> Scoring:
    spec = MetricSpec("lost", callable=f"{HERE}:{function}", params=params, direction="lower")
    return Scoring((spec,))


def test_a_metric_of_ones_own_is_one_number_or_one_for_each_row(metrics_of: Any) -> None:
    label, better, worse = regression()
    about = Beside(rows=pd.DataFrame({"unit": np.full(len(label), 10.0)}))
    plain = metrics_of(REGRESSION).difference(["mean_absolute_error"], label, better, worse, 0.95)
    expected = plain["mean_absolute_error"]
    each = metrics_of(REGRESSION, own("lost", per_row=True))
    one = each.difference(["lost"], label, better, worse, 0.95, beside=about)["lost"]
    assert (one.value, one.low, one.high) == pytest.approx(
        (10 * expected.value, 10 * expected.low, 10 * expected.high)
    )
    whole = metrics_of(REGRESSION, own("lost"))
    drawn = whole.difference(["lost"], label, better, worse, 0.95, beside=about)["lost"]
    assert drawn.value == pytest.approx(one.value)
    assert (drawn.low, drawn.high) == pytest.approx((one.low, one.high), abs=0.1 * (one.high - one.low))
    assert (each.direction("lost"), each.direction("r2")) == ("lower", "higher")


@pytest.mark.parametrize("groups", [False, True])
def test_a_metric_of_ones_own_is_feasible_on_many_rows(metrics_of: Any, groups: bool) -> None:
    """Random parts of the rows stand in for whole resamples; the interval is that of the mean."""
    label, better, _ = regression(120_000)
    about = Beside(groups=np.arange(120_000) // 3) if groups else Beside()
    scorer = metrics_of(REGRESSION, own("lost"))
    drawn = scorer.score(["lost"], label, better, 0.95, beside=about)["lost"]
    plain = metrics_of(REGRESSION).score(["mean_absolute_error"], label, better, 0.95)["mean_absolute_error"]
    assert drawn.value == pytest.approx(plain.value)
    assert drawn.high - drawn.low == pytest.approx(plain.high - plain.low, rel=0.12)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("broken", "broken raised KeyError .* on 800 rows"),
        (
            "shapeless",
            r"shapeless returned an array of the shape \(1, 2\) for 800 rows; return one number, or",
        ),
    ],
)
def test_a_metric_of_ones_own_that_fails_is_named(metrics_of: Any, function: str, told: str) -> None:
    label, better, _ = regression()
    with pytest.raises(TrainingFailed, match=told):
        metrics_of(REGRESSION, own(function)).score(["lost"], label, better, 0.95)


def test_a_metric_without_influence_is_refused_where_only_influence_is_asked_for(metrics_of: Any) -> None:
    label, better, _ = regression()
    scoring = replace(own("lost"), method="influence")
    with pytest.raises(ConfigError, match="lost has no influence function; give evaluation"):
        metrics_of(REGRESSION, scoring).score(["lost"], label, better, 0.95)


COSTS = Outcomes(false_positive=10.0, false_negative="amount")
PROFIT = Outcomes(true_positive=0.2, false_positive=-0.1, times="amount")


def test_decisions_cost_what_their_outcomes_cost(metrics_of: Any) -> None:
    label, better, worse = binary()
    amount = np.random.default_rng(5).gamma(2, 50, len(label))
    about = Beside(rows=pd.DataFrame({"amount": amount}))
    specs = (
        MetricSpec("cost", outcomes=COSTS, direction="lower"),
        MetricSpec("profit", outcomes=PROFIT, direction="higher"),
    )
    scorer = metrics_of(BINARY, Scoring(specs, decision_threshold=0.3))
    for score in (better, worse):
        said = score >= 0.3
        cost = np.where(said & (label == 0), 10.0, np.where(~said & (label == 1), amount, 0.0))
        profit = np.where(said, np.where(label == 1, 0.2, -0.1), 0.0) * amount
        found = scorer.score(["cost", "profit"], label, score, 0.95, beside=about)
        for name, each in (("cost", cost), ("profit", profit)):
            half = 1.959964 * each.std(ddof=1) / len(each) ** 0.5
            assert found[name].value == pytest.approx(each.mean())
            assert (found[name].low, found[name].high) == pytest.approx(
                (each.mean() - half, each.mean() + half)
            )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (None, "cost needs the column amount, which these rows do not have; there: no columns"),
        (pd.DataFrame({"price": [1.0] * 800}), "there: price"),
        (pd.DataFrame({"amount": ["much"] * 800}), "cost needs numbers in the column amount"),
        (
            pd.DataFrame({"amount": [None, *[1.0] * 799]}),
            "a number in every row of amount; 1 of 800 have none",
        ),
    ],
)
def test_a_cost_without_its_column_is_refused(metrics_of: Any, rows: Any, told: str) -> None:
    label, better, _ = binary()
    scoring = Scoring((MetricSpec("cost", outcomes=COSTS, direction="lower"),))
    with pytest.raises(DataRefused, match=told):
        metrics_of(BINARY, scoring).score(["cost"], label, better, 0.95, beside=Beside(rows=rows))


@pytest.mark.parametrize(("name", "param"), [("ndcg", 3), ("dcg", 3), ("mean_average_precision", 2)])
def test_a_ranking_may_look_at_the_first_places_only(metrics_of: Any, name: str, param: int) -> None:
    label, better, _ = ranking()
    better = (
        better + np.arange(len(better)) * 1e-9
    )  # without ties: at the last place scikit-learn splits them
    expected = {
        "ndcg": by_query(lambda one, other: sk.ndcg_score([one], [other], k=3)),
        "dcg": by_query(lambda one, other: sk.dcg_score([one], [other], k=3)),
        "mean_average_precision": by_query(precision_at_two),
    }
    scoring = Scoring((MetricSpec("first", metric=name, params={"k": param}),))
    value = metrics_of(RANKING, scoring).score(["first"], label, better, 0.95, beside=beside(RANKING))
    assert value["first"].value == pytest.approx(expected[name](label, better))


def precision_at_two(label: Any, score: Any) -> float:
    hit = label[np.argsort(-score)][:2] > 0
    wanted = min(2, int((label > 0).sum()))
    return float((hit * np.cumsum(hit) / [1, 2]).sum() / wanted) if wanted else 0.0


def test_the_pinball_loss_and_the_season_take_their_parameters(metrics_of: Any) -> None:
    label, better, _ = regression()
    specs = (
        MetricSpec("late", metric="mean_pinball_loss", params={"alpha": 0.9}),
        MetricSpec("scaled", metric="mean_absolute_scaled_error", params={"season": 7}),
    )
    found = metrics_of(FORECAST, Scoring(specs)).score(["late", "scaled"], label, better, 0.95)
    assert found["late"].value == pytest.approx(sk.mean_pinball_loss(label, better, alpha=0.9))
    naive = np.abs(label[7:] - label[:-7]).mean()
    assert found["scaled"].value == pytest.approx(np.abs(label - better).mean() / naive)


def test_the_largest_error_bounds_the_truth_from_below_only(metrics_of: Any) -> None:
    label, better, worse = regression()
    found = metrics_of(REGRESSION).score(["max_error"], label, better, 0.95)["max_error"]
    assert (found.low, found.high) == (found.value, float("inf"))
    gap = metrics_of(REGRESSION).difference(["max_error"], label, better, worse, 0.95)["max_error"]
    assert (gap.low, gap.high) == (float("-inf"), float("inf"))


def test_a_decision_threshold_moves_what_is_decided_and_nothing_else(metrics_of: Any) -> None:
    label, better, _ = binary()
    found = metrics_of(BINARY, Scoring(decision_threshold=0.3)).score(
        ["recall", "roc_auc"], label, better, 0.95
    )
    assert found["recall"].value == pytest.approx(sk.recall_score(label, better >= 0.3))
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(label, better))


MANY_ROWS = {
    BINARY: ("roc_auc", "average_precision", "log_loss", "f1", "accuracy"),
    REGRESSION: ("r2", "median_absolute_error", "mean_squared_error"),
}


@pytest.mark.parametrize("task", MANY_ROWS)
def test_little_bootstraps_of_many_rows_are_as_wide_as_influence_says(
    metrics_of: Any, task: TaskKind
) -> None:
    label, better, worse = MADE[task](320_000)
    drawn, plain, names = metrics_of(task, Scoring(method="bootstrap")), metrics_of(task), MANY_ROWS[task]
    single = [scorer.score(names, label, better, 0.95) for scorer in (plain, drawn)]
    paired = [scorer.difference(names, label, better, worse, 0.95) for scorer in (plain, drawn)]
    for one, other in (single, paired):
        for name in names:
            assert other[name].high - other[name].low == pytest.approx(
                one[name].high - one[name].low, rel=0.13
            )


def test_a_rare_class_is_in_every_part_of_many_rows(metrics_of: Any) -> None:
    random = np.random.default_rng(3)
    label = np.zeros(120_000)
    label[:1_000] = 1
    score = random.normal(size=120_000) + 2 * label
    one = metrics_of(BINARY).score(["roc_auc"], label, score, 0.95)["roc_auc"]
    drawn = metrics_of(BINARY, Scoring(method="bootstrap", resamples=300))
    other = drawn.score(["roc_auc"], label, score, 0.95)["roc_auc"]
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.2)


def test_few_groups_make_a_wider_interval_than_many_rows(metrics_of: Any) -> None:
    label, better, _ = regression(40)
    groups = np.arange(40) // 10
    one = metrics_of(REGRESSION).score(
        ["mean_absolute_error"], label, better, 0.95, beside=Beside(groups=groups)
    )["mean_absolute_error"]
    each = np.abs(label - better)
    sums = np.array([each[groups == number].sum() - 10 * each.mean() for number in range(4)])
    error = (sums @ sums * 4 / 3) ** 0.5 / 40
    assert (one.high - one.value) / error == pytest.approx(3.182, rel=0.03), "Student's, of 3 degrees"


REFUSED_GROUPS = [
    (REGRESSION, [0] * 800, "all 800 rows are of one group: an interval needs at least two"),
    (RANKING, None, "a ranking is scored by query, and nothing says which row is of which"),
    (RANKING, [None, *range(799)], "1 of 800 rows have no query"),
    (REGRESSION, [0, 1], "2 groups do not fit 800 rows"),
]


@pytest.mark.parametrize(("task", "groups", "told"), REFUSED_GROUPS)
def test_groups_that_group_nothing_are_refused(
    metrics_of: Any, task: TaskKind, groups: Any, told: str
) -> None:
    label, better, _ = MADE[task]()
    name = "ndcg" if task == RANKING else "r2"
    with pytest.raises(DataRefused, match=told):
        metrics_of(task).score([name], label, better, 0.95, beside=Beside(groups=groups))


def test_a_row_without_a_group_stands_alone(metrics_of: Any) -> None:
    label, better, _ = regression(100)
    alone, numbered = (
        metrics_of(REGRESSION).score(["r2"], label, better, 0.95, beside=Beside(groups=groups))["r2"]
        for groups in ([None] * 50 + ["a"] * 50, [*range(50), *[99] * 50])
    )
    assert alone == numbered


REFUSED = [
    (BINARY, "roc_auc", [1] * 4, [0.1, 0.2, 0.3, 0.4], "all 4 labels are equal"),
    (BINARY, "log_loss", [0] * 4, [0.1, 0.2, 0.3, 0.4], "all 4 labels are equal"),
    (BINARY, "f1", [1, 2], [0.1, 0.2], "0 and 1, or false and true; 1 of 2 are something else"),
    (BINARY, "f1", [0, "no"], [0.1, 0.2], "2 of 2 are something else"),
    (BINARY, "f1", pd.Series([0, "no"]), [0.1, 0.2], "the labels mix types"),
    (BINARY, "f1", ["no", "yes"], [0.1, 0.2], "2 of 2 are something else"),
    (BINARY, "f1", [0, 1, None], [0.1, 0.2, 0.3], "1 of 3 labels are null"),
    (BINARY, "f1", [0, 1], [0.1, float("nan")], "1 of 2 predictions are null or not finite"),
    (BINARY, "f1", [0, 1], [[0.1, 0.9], [0.5, 0.5]], "one number a row, these have 2 columns"),
    (BINARY, "f1", [0, 1, 1], [0.1, 0.9], "3 labels do not fit 2 predictions"),
    (BINARY, "f1", [], [], "no rows to score"),
    (BINARY, "f2", [0, 1], [0.1, 0.9], "no metric 'f2'; there are: roc_auc"),
    (MANY, "f1", ["a", "a"], [[0.1, 0.9], [0.5, 0.5]], "all 2 labels are equal"),
    (MANY, "f1", ["a", "b"], [[0.1, 0.8, 0.1], [0.5, 0.4, 0.1]], "2 classes, the predictions 3"),
    (REGRESSION, "r2", [2.0, 2.0], [1.0, 2.0], "r2 is undefined: all 2 labels are equal"),
    (REGRESSION, "r2", ["x", "y"], [1.0, 2.0], "the labels of a regression are numbers"),
    (REGRESSION, "r2", [2.0, 1.0], ["x", "y"], "the predictions are no numbers"),
    (REGRESSION, "roc_auc", [2.0, 1.0], [1.0, 2.0], "the metric 'roc_auc' is not for regression"),
    (
        REGRESSION,
        "mean_squared_log_error",
        [2.0, -1.0],
        [1.0, 2.0],
        "undefined at -1 and below, where 1 of 2 rows are",
    ),
    (FORECAST, "weighted_absolute_percentage_error", [0.0, 0.0], [1.0, 2.0], "all 2 labels are 0"),
    (FORECAST, "mean_absolute_scaled_error", [3.0, 3.0], [1.0, 2.0], "the naive forecast has no error"),
    (FORECAST, "r2", ["x", "y"], [1.0, 2.0], "the labels of a forecasting are numbers"),
    (MANY, "roc_auc_ovr", [0, 1, 1], [[0.1, 0.9], [0.5, 0.5], [0.4, 0.6]], "1 are of one of the classes"),
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


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task in (BINARY, REGRESSION, FORECAST) for name in sorted(METRICS_OF[task])],
)
def test_a_metric_that_is_a_mean_of_rows_has_a_value_of_each(
    metrics_of: Any, task: TaskKind, name: str
) -> None:
    label, answer, _ = (binary if task == BINARY else regression)()
    scorer = metrics_of(task)
    if not is_mean_of_rows(name):
        with pytest.raises(DataRefused, match="one number for all rows together"):
            scorer.by_row(name, label, answer)
        return
    values = scorer.by_row(name, label, answer)
    assert len(values) == len(label)
    assert values.mean() == pytest.approx(scorer.score([name], label, answer, 0.95)[name].value)


def test_values_of_rows_need_no_second_class_and_know_classes_by_number(metrics_of: Any) -> None:
    assert list(metrics_of(BINARY).by_row("accuracy", [1, 1, 1], [0.9, 0.5, 0.4])) == [1.0, 1.0, 0.0]
    assert list(metrics_of(BINARY).by_row("brier_score", [True, True], [1.0, 0.5])) == [0.0, 0.25]
    assert list(metrics_of(MANY).by_row("accuracy", [0, 2, 1], [0.0, 2.0, 2.0])) == [1.0, 1.0, 0.0]
    with pytest.raises(DataRefused, match="number the classes from 0"):
        metrics_of(MANY).by_row("accuracy", ["cat", "dog"], [0.0, 1.0])


def test_what_decisions_cost_and_ones_own_metric_have_values_of_rows_too(metrics_of: Any) -> None:
    cost = MetricSpec("cost", outcomes=Outcomes(false_positive=1.0, false_negative=5.0), direction="lower")
    scorer = metrics_of(BINARY, Scoring(metrics=(cost,)))
    assert list(scorer.by_row("cost", [1, 0, 1], [0.1, 0.9, 0.9])) == [5.0, 1.0, 0.0]
    assert cost.span == 5.0
    label, better, _ = regression()
    rows = metrics_of(REGRESSION, own("lost", per_row=True)).by_row("lost", label, better)
    assert rows == pytest.approx(np.abs(label - better))
    with pytest.raises(DataRefused, match="lost gives one number for all rows together"):
        metrics_of(REGRESSION, own("lost")).by_row("lost", label, better)
