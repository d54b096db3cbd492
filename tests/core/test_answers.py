"""How far answers are apart."""

from __future__ import annotations

import math

import pytest

from airflow_mlops.core.answers import largest_difference


def test_an_answer_that_is_no_number_is_the_largest_difference_there_is() -> None:
    assert largest_difference([0.5, 0.5], [0.5, math.nan]) == math.inf


def test_large_answers_are_compared_by_their_digits() -> None:
    assert largest_difference([3e12], [3e12 * (1 + 1e-15)]) < 1e-6
    assert largest_difference([3e12], [3e12 * (1 + 1e-3)]) > 1e-6


def test_every_probability_of_a_row_counts() -> None:
    assert largest_difference([[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.5], [0.5, 0.5]]) == 0.25


@pytest.mark.parametrize("other", [[0.5], [[0.5], [0.5]], [[0.5, 0.5], [0.5]]])
def test_answers_of_another_shape_are_infinitely_far(other: list[list[float]]) -> None:
    assert largest_difference([[0.5, 0.5], [0.5, 0.5]], other) == math.inf
