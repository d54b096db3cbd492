"""How many rows would decide a verdict that was left open."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import NormalDist

import pytest

from airflow_mlops.core.gates import AgainstChampion, Measured, Rule, Threshold, rows_to_decide
from airflow_mlops.core.values import Estimate, Evaluation, Finding, Measurement, ModelRef

# A loss of nothing, give or take .02, on 1,000 rows: whether it is within a margin of .01 is open.
OPEN = Evaluation(
    rows=1_000,
    confidence=0.95,
    challenger={"roc_auc": Estimate(0.70, 0.66, 0.74), "r2": Estimate(0.5, 0.4, 0.6)},
    champion=ModelRef("churn", "1"),
    champion_metrics={"roc_auc": Estimate(0.70, 0.66, 0.74)},
    difference={"roc_auc": Estimate(0.0, -0.02, 0.02)},
)
NO_WORSE = AgainstChampion("roc_auc", margin=0.01)


def rows(*rules: Rule, on: Evaluation = OPEN, minimum_rows: int = 200) -> int | None:
    return rows_to_decide(rules, on, minimum_rows=minimum_rows)


def test_with_these_rows_the_verdict_falls_four_times_in_five_if_what_was_seen_is_true() -> None:
    wanted = rows(NO_WORSE)
    assert wanted == 8173  # ((1.95996 + 0.84162) / 1.95996 * 0.02 / 0.01)^2 * 1,000
    z = NormalDist().inv_cdf(0.975)
    error = 0.02 / z / sqrt(wanted / 1_000)
    passes = NormalDist(0.0, error).cdf(0.01 - z * error)
    assert passes == pytest.approx(0.8, abs=1e-3)


def test_the_nearer_the_bound_the_more_rows_and_the_rule_that_needs_most_decides() -> None:
    nearer = replace(OPEN, difference={"roc_auc": Estimate(-0.005, -0.025, 0.015)})
    assert rows(NO_WORSE, on=nearer) == pytest.approx(4 * 8173, abs=4)
    threshold = Threshold("roc_auc", minimum=0.68, decide_by="interval")
    assert rows(threshold) == pytest.approx(8173, abs=2)
    assert rows(threshold, NO_WORSE, on=nearer) == rows(NO_WORSE, on=nearer)


def test_a_loss_that_seems_proven_is_measured_from_its_other_side() -> None:
    worse = replace(OPEN, difference={"roc_auc": Estimate(-0.02, -0.06, -0.005)})
    assert rows(NO_WORSE, on=worse) == pytest.approx((2.80159 / 1.95996 * 0.015 / 0.01) ** 2 * 1_000, abs=2)


def test_a_relative_margin_is_one_of_the_champions_value() -> None:
    assert rows(AgainstChampion("roc_auc", margin=0.01 / 0.7, relative=True)) == pytest.approx(8173, abs=2)


def test_a_slice_asks_for_as_many_times_the_holdout_as_it_needs_itself() -> None:
    slices = Finding("slices", (Measurement("plan = pro", Estimate(0.0, -0.02, 0.02), rows=50),))
    found = replace(OPEN, findings=(slices,))
    assert rows(Measured("slices", maximum=0.01), on=found) == 8173


def test_fewer_rows_than_the_gates_ask_for_need_those() -> None:
    assert rows(NO_WORSE, on=replace(OPEN, rows=150)) == 200


@pytest.mark.parametrize(
    ("rules", "on"),
    [
        ((Threshold("roc_auc", minimum=0.1),), OPEN),
        ((NO_WORSE,), replace(OPEN, difference={"roc_auc": Estimate(-0.01, -0.03, 0.01)})),
        ((NO_WORSE,), replace(OPEN, champion_problem="it cannot be loaded")),
        ((NO_WORSE, Measured("fair", maximum=0.1)), replace(OPEN, findings=(Finding("fair", problem="x"),))),
    ],
    ids=["nothing open", "on its bound", "no comparison", "not measured"],
)
def test_where_more_rows_decide_nothing_no_number_is_named(rules: tuple[Rule, ...], on: Evaluation) -> None:
    assert rows(*rules, on=on) is None
