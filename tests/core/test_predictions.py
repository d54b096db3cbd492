"""When the spread of predictions is worth a word."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from math import isclose, log

import pytest

from airflow_mlops.core.predictions import expected_by_chance, prediction_warning, stability_index
from airflow_mlops.core.values import ArmObservation, Observation


def seen(champion: list[int], challenger: list[int]) -> Observation:
    arms = [
        ArmObservation(version, sum(scores), 0, mean_score=0.5, scores=tuple(scores))
        for version, scores in (("1", champion), ("2", challenger))
    ]
    return Observation("r", "canary", 0.5, datetime(2026, 1, 1, tzinfo=timezone.utc), *arms)


def test_the_index_is_the_sum_over_the_bins() -> None:
    many = 10**9
    wanted = (0.25 - 0.5) * log(0.25 / 0.5) + (0.75 - 0.5) * log(0.75 / 0.5)
    assert isclose(stability_index([many, many], [many, 3 * many]), wanted, rel_tol=1e-6)


def test_chance_alone_makes_what_is_expected_of_it() -> None:
    random.seed(1)
    indices = []
    for _ in range(200):
        arms = [[0] * 20, [0] * 20]
        for arm, rows in zip(arms, (400, 2_000), strict=True):
            for _ in range(rows):
                arm[random.randrange(20)] += 1
        indices.append(stability_index(*arms))
    assert sum(indices) / len(indices) == pytest.approx(expected_by_chance(*arms), rel=0.1)


def test_a_shift_is_told_as_a_warning_and_equal_spreads_and_few_rows_are_not() -> None:
    low, high = [400] * 5 + [0] * 5, [0] * 5 + [400] * 5
    warning = prediction_warning(seen(low, high), 0.25, minimum_rows=200)
    assert warning is not None
    assert warning.startswith("warning: the predictions are spread otherwise")
    assert warning.endswith("that is no verdict")
    assert prediction_warning(seen(low, low), 0.25, minimum_rows=200) is None
    assert prediction_warning(seen(low, high), 0.25, minimum_rows=3_000) is None
    # What chance makes of forty rows over ten bins is no shift.
    few = seen([4] * 10, [5, 3, 6, 2, 4, 4, 5, 3, 4, 4])
    assert prediction_warning(few, 0.01, minimum_rows=40) is None
    assert prediction_warning(seen([], []), 0.25, minimum_rows=0) is None
