"""The median of resampled rows, which is looked for near the middle first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from airflow_mlops.backends.statistic import Units
from airflow_mlops.backends.statistic_other import Median


def drawn_median(values: Any, times: Any) -> float:
    return float(np.median(np.repeat(values, times.astype(int))))


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 50, 51, 2_000])
@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
def test_it_is_that_of_the_rows_as_often_as_they_were_drawn(rows: int, ties: bool) -> None:
    random = np.random.default_rng(rows)
    for _ in range(20):
        values = random.integers(0, 20, rows).astype(float) if ties else random.normal(size=rows)
        weights = random.poisson(1, (20, rows)).astype(float)
        weights[:, random.integers(rows)] += 1
        found = Median(values).resampler(Units(rows).all())(weights)
        assert found == pytest.approx([drawn_median(values, one) for one in weights])


@pytest.mark.parametrize("place", [0, 100, 999])
def test_it_is_found_far_from_the_middle_too(place: int) -> None:
    values, weights = np.arange(1_000.0), np.ones((2, 1_000))
    weights[1, place] = 5_000
    found = Median(values).resampler(Units(1_000).all())(weights)
    assert found == pytest.approx([499.5, float(place)])


def test_whole_groups_are_drawn_together() -> None:
    random = np.random.default_rng(3)
    values, group = random.normal(size=300), np.repeat(np.arange(60), 5)
    random.shuffle(group)
    weights = random.poisson(1, (20, 60)).astype(float)
    found = Median(values).resampler(Units(300, group).all())(weights)
    assert found == pytest.approx([drawn_median(values, one[group]) for one in weights])
