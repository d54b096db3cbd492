"""Columns together: an effect that is large, and no chance."""

from __future__ import annotations

import pytest

from airflow_mlops.core.shift.multivariate import THRESHOLDS, Together, judged


def together(effect: float, p_value: float, method="domain_classifier", name="all features") -> Together:
    return Together(name, method, effect, p_value, (100, 100), ("a", "b"), tells=(("a", 0.2), ("b", 0.0)))


def test_neither_a_small_effect_nor_a_large_one_by_chance_is_drift() -> None:
    small, chance, both = judged([together(0.6, 1e-9), together(0.9, 0.2), together(0.9, 1e-9)], None)
    assert [one.drifted for one in (small, chance, both)] == [False, False, True]
    assert both.threshold == THRESHOLDS["domain_classifier"]


def test_more_groups_need_more_evidence() -> None:
    assert judged([together(0.9, 0.008)], None)[0].drifted
    assert not any(one.drifted for one in judged([together(0.9, 0.008) for _ in range(2)], None))


def test_what_is_said_names_the_columns_that_tell_the_two_apart() -> None:
    (one,) = judged([together(0.9, 1e-9)], 0.7)
    assert one.said == (
        "all features together (domain_classifier): AUC 0.900, at or above the threshold 0.7, p < 0.001; "
        "told apart by a"
    )
    (quiet,) = judged([together(0.01, 0.5, "mmd")], None)
    assert "share of the kernel distance 0.010, below the threshold 0.02" in quiet.said


def test_nothing_looked_at_is_nothing_judged() -> None:
    assert judged([], None) == ()


@pytest.mark.parametrize("method", THRESHOLDS)
def test_a_threshold_of_the_yaml_stands_in_for_the_methods_own(method) -> None:
    assert judged([together(0.5, 1e-9, method)], 0.5)[0].drifted
