"""Calibration: statsmodels' numbers, an error that chance does not inflate, and several classes."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from airflow_mlops.backends.catalog import load_part
from airflow_mlops.backends.gates.recalibration import (
    calibration_error,
    intercept,
    mean_error,
    slope,
    spiegelhalter,
)
from airflow_mlops.exceptions import DataRefused


def forecasts(rows: int = 3_000, seed: int = 0, *, too_sure: float = 1.0, shift: float = 0.0):
    """Labels and answers; ``too_sure`` and ``shift`` distort the log-odds of what is true."""
    random = np.random.default_rng(seed)
    odds = random.normal(-0.5, 1.2, rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    return label, 1 / (1 + np.exp(-(too_sure * odds + shift)))


def log_odds(answer):
    return np.log(answer / (1 - answer))


@pytest.fixture
def calibration(settings_of, material_of):
    """``calibration(label, answers, measure, ...)``: the finding of such a rule."""

    def measured(label, answers, measure, *, task="binary_classification", **more):
        material = material_of(pd.DataFrame({"y": label}), answers, task=task)
        settings = settings_of(**{"type": "calibration", "measure": measure, "maximum": 1.0, **more})
        return load_part("gate.calibration")(settings, material)

    return measured


def test_slope_and_intercept_are_those_of_statsmodels() -> None:
    label, answer = forecasts(too_sure=1.7, shift=0.3)
    model = sm.Logit(label, sm.add_constant(log_odds(answer))).fit(disp=0)
    found = slope(label, answer, 0.95)
    low, high = model.conf_int(0.05)[1]
    assert (found.value, found.low, found.high) == pytest.approx((model.params[1], low, high), abs=1e-6)
    offset = sm.GLM(label, np.ones(len(label)), sm.families.Binomial(), offset=log_odds(answer)).fit()
    found = intercept(label, answer, 0.95)
    low, high = offset.conf_int(0.05)[0]
    assert (found.value, found.low, found.high) == pytest.approx((offset.params[0], low, high), abs=1e-6)


def test_answers_that_are_too_extreme_have_a_slope_below_one_and_too_high_ones_a_negative_intercept() -> None:
    label, answer = forecasts(too_sure=2.0)
    assert slope(label, answer, 0.95).high < 0.6
    label, answer = forecasts(shift=0.5)
    assert intercept(label, answer, 0.95).high < -0.3
    assert mean_error(label, answer, 0.95).low > 0.05


def test_classes_that_are_told_apart_without_error_have_no_slope() -> None:
    label = np.repeat([0.0, 1.0], 100)
    with pytest.raises(DataRefused, match="without an error"):
        slope(label, np.where(label == 1, 0.9, 0.1) + np.linspace(0, 0.05, 200), 0.95)
    with pytest.raises(DataRefused, match="same answer"):
        slope(label, np.full(200, 0.5), 0.95)


def test_spiegelhalters_p_value_is_that_of_the_paper() -> None:
    label, answer = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.8, 0.3, 0.6, 0.9])
    # By hand: sum (x - p)(1 - 2p) over the root of sum (1 - 2p)^2 p(1 - p).
    z = (0.2 * -0.6 - 0.3 * 0.4 + 0.4 * -0.2 + 0.1 * -0.8) / sqrt(
        0.36 * 0.16 + 0.16 * 0.21 + 0.04 * 0.24 + 0.64 * 0.09
    )
    from scipy.stats import norm

    assert spiegelhalter(label, answer) == pytest.approx(2 * norm.sf(abs(z)), abs=1e-12)
    assert spiegelhalter(label, np.full(4, 0.5)) is None


def test_the_calibration_error_of_a_calibrated_model_is_near_zero_and_so_is_its_lower_end() -> None:
    label, answer = forecasts()
    plain = np.mean([abs((label - answer)[part].mean()) for part in np.array_split(np.argsort(answer), 10)])
    found = calibration_error(label, answer, 0.95, bins=10, seed=0)
    assert found.low == 0
    assert found.value < plain / 1.5
    assert found.high < 0.04


def test_the_calibration_error_of_a_bad_model_is_seen() -> None:
    label, answer = forecasts(too_sure=2.5)
    found = calibration_error(label, answer, 0.95, bins=10, seed=0)
    assert 0.06 < found.low < found.value < found.high < 0.2


@pytest.mark.parametrize("too_sure", [1.0, 2.0])
def test_the_interval_of_the_calibration_error_covers_the_truth(too_sure: float) -> None:
    label, answer = forecasts(400_000, seed=9, too_sure=too_sure)
    truth = calibration_error(label, answer, 0.95, bins=10, seed=0).value
    trials, missed = 100, {"above": 0, "below": 0}
    for trial in range(trials):
        rows = slice(1_000 * trial, 1_000 * (trial + 1))
        found = calibration_error(label[rows], answer[rows], 0.95, bins=10, seed=0)
        missed["above"] += found.low > truth + 1e-3
        missed["below"] += found.high < truth - 1e-3
    at_most = trials * 0.025 + 2.6 * sqrt(trials * 0.025 * 0.975)
    assert max(missed.values()) <= at_most, missed


def test_a_binary_model_has_one_number_and_a_diagram(calibration) -> None:
    label, answer = forecasts()
    finding = calibration(label.astype(int), answer, "expected_calibration_error", bins=8)
    [found] = finding.measurements
    assert (found.name, found.rows) == ("expected calibration error", 3_000)
    [diagram] = finding.figures
    assert diagram.kind == "reliability"
    assert sum(point.rows for point in diagram.points) == 3_000
    first = np.sort(answer)[:375]
    assert diagram.points[0].at == pytest.approx(first.mean())
    assert any(note.startswith("Spiegelhalter's test of calibration: p 0.") for note in finding.notes)


def three_classes():
    random = np.random.default_rng(0)
    answers = random.dirichlet([1, 1, 2], 3_000)
    label = (answers.cumsum(axis=1) < random.random((3_000, 1))).sum(axis=1)
    return np.array(["low", "middle", "top"])[label], answers


def test_of_several_classes_the_most_probable_is_asked_about(calibration) -> None:
    label, answers = three_classes()
    names = np.array(["low", "middle", "top"])
    finding = calibration(label, answers, "mean", task="multiclass_classification")
    [found] = finding.measurements
    right = (names[answers.argmax(axis=1)] == label).mean()
    assert found.name == "mean of the top class"
    assert found.estimate.value == pytest.approx(answers.max(axis=1).mean() - right)


def test_or_each_class_with_intervals_for_all_of_them(calibration) -> None:
    label, answers = three_classes()
    finding = calibration(label, answers, "slope", task="multiclass_classification", classes="each")
    assert [item.name for item in finding.measurements] == [
        "slope of class low",
        "slope of class middle",
        "slope of class top",
    ]
    assert all(item.estimate.low < 1 < item.estimate.high for item in finding.measurements)
    assert finding.notes[0] == "The intervals hold for all 3 classes together, at 95%."
    alone = slope((label == "low").astype(float), answers[:, 0], 0.95)
    assert finding.measurements[0].estimate.low < alone.low


def test_a_regression_is_right_on_average_or_not(calibration) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=500)
    finding = calibration(truth, truth + 0.5 + random.normal(size=500), "mean", task="regression")
    assert finding.measurements[0].estimate.low > 0.3
    assert len(finding.figures[0].points) == 10
    assert finding.notes == ()


def test_answers_that_repeat_share_a_bin(calibration) -> None:
    label = np.arange(300) % 2
    finding = calibration(label, np.where(np.arange(300) < 200, 0.5, 0.6), "expected_calibration_error")
    assert [point.rows for point in finding.figures[0].points] == [200, 100]
