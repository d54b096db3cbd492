"""DLE: the estimate of a regression's error without labels against what labels say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.metrics_influence import InfluenceMetrics
from airflow_mlops.backends.performance_estimate_loss import estimate_of_losses
from airflow_mlops.core.metrics import METRICS, MetricSpec
from airflow_mlops.exceptions import DataRefused

COLUMNS = {"size": "numeric", "kind": "categorical", "note": "text"}
ESTIMATED = (
    "mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "mean_absolute_percentage_error",
    "mean_squared_log_error", "root_mean_squared_log_error", "mean_pinball_loss",
)  # fmt: skip
MEASURED = InfluenceMetrics("regression")


def drawn(
    count: int, seed: int, *, middle: float = 0.0, share: float = 0.5, worse: float = 0.0
) -> pd.DataFrame:
    """Answers that are worse for large sizes and for kind b; ``worse`` is added to every error's spread."""
    random = np.random.default_rng(seed)
    size, kind = random.normal(middle, 1, count), np.where(random.random(count) < share, "a", "b")
    answer = 20 + 2 * size
    error = (np.exp(0.4 * size) * np.where(kind == "a", 1.0, 1.5) + worse) * random.normal(size=count)
    return pd.DataFrame(
        {"size": size, "kind": kind, "note": "x", "prediction": answer, "label": answer + error}
    )


def _estimated(spec: MetricSpec, window: pd.DataFrame, holdout: pd.DataFrame, answered: int | None = None):
    return estimate_of_losses(
        spec, window, holdout, COLUMNS, confidence=0.95, answered=answered or len(window)
    )


def pair(metric: str, seed: int, **later):
    """The estimate, what labels say later, and what they said of the holdout."""
    holdout, window = drawn(1_000, 2 * seed), drawn(500, 2 * seed + 1, **later)
    spec = MetricSpec(metric, metric)
    found = _estimated(spec, window.drop(columns="label"), holdout)
    measured = [
        MEASURED.score([metric], rows["label"], rows["prediction"], 0.95)[metric].value
        for rows in (window, holdout)
    ]
    return found, *measured


@pytest.mark.parametrize("metric", ESTIMATED)
def test_where_only_the_mix_of_cases_changes_the_estimate_is_what_labels_say_later(metric) -> None:
    found, truth, before = pair(metric, 1, middle=0.5, share=0.2)
    assert found.low <= truth <= found.high, (metric, found, truth)
    assert abs(found.value - truth) < abs(before - truth), (metric, before, truth, found)


def test_under_covariate_shift_the_interval_has_the_truth_about_as_often_as_it_says() -> None:
    found = [pair("mean_absolute_error", seed, middle=0.4, share=0.3) for seed in range(8)]
    held = sum(one.low <= truth <= one.high for one, truth, _ in found)
    assert held >= 7, held  # of 8 at 95 %


def test_concept_drift_is_not_seen() -> None:
    found, truth, before = pair("mean_absolute_error", 3, worse=1.0)
    assert found.high < truth
    assert found.low < before < found.high


def test_a_gap_in_a_column_and_a_category_that_is_new_cost_no_estimate() -> None:
    holdout, window = drawn(400, 1), drawn(200, 2)
    window.loc[:50, "size"], window.loc[60:, "kind"] = np.nan, "c"
    spec = MetricSpec("mae", "mean_absolute_error")
    found = _estimated(spec, window, holdout)
    assert 0 < found.low < found.value < found.high
    assert found == _estimated(spec, window, holdout)


def test_of_a_sample_the_interval_is_as_narrow_as_of_all_answers() -> None:
    holdout, window = drawn(400, 1), drawn(200, 2)
    spec = MetricSpec("mae", "mean_absolute_error")
    some, many = _estimated(spec, window, holdout), _estimated(spec, window, holdout, answered=20_000)
    assert some.value == many.value
    assert some.low < many.low < many.high < some.high


def test_an_exact_model_is_estimated_to_stay_exact() -> None:
    holdout = drawn(400, 1).assign(label=lambda rows: rows["prediction"])
    spec = MetricSpec("rmse", "root_mean_squared_error")
    assert _estimated(spec, holdout, holdout).high == 0


@pytest.mark.parametrize(
    ("metric", "rows", "said"),
    [
        *((name, 300, "no mean over rows") for name in ("r2", "max_error", "median_absolute_error")),
        ("mean_absolute_error", 199, "199 rows of the holdout, 200 are needed"),
        ("mean_squared_log_error", 300, "undefined at -1"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_the_reason(metric, rows, said) -> None:
    assert metric in METRICS
    holdout = drawn(rows, 1).assign(label=-5.0)
    with pytest.raises(DataRefused, match=said):
        _estimated(MetricSpec(metric, metric), holdout, holdout)
