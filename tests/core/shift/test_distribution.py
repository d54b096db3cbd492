"""One distribution twice: how far apart, and whether that is chance."""

from __future__ import annotations

import pytest

from airflow_mlops.core.predictions import stability_index
from airflow_mlops.core.quality import Spread
from airflow_mlops.core.shift.distribution import Distribution, Shift, is_told_apart, mean_change
from airflow_mlops.core.values import Estimate


def spread_over(*counts: int) -> Distribution:
    return Distribution(Spread(sum(counts), 0.0, 1.0), counts)


def test_a_shift_is_drift_only_beyond_what_chance_adds() -> None:
    few = Shift(spread_over(10, 10, 10, 10), spread_over(4, 12, 8, 16), 0.2)
    many = Shift(spread_over(1000, 1000, 1000, 1000), spread_over(400, 1200, 800, 1600), 0.2)
    assert few.index == pytest.approx(many.index, abs=0.03)
    assert few.by_chance == pytest.approx(3 / 40 + 3 / 40)
    assert (few.drifted, many.drifted) == (False, True)


def test_a_class_that_only_the_window_has_is_a_bin_of_its_own() -> None:
    shift = Shift(spread_over(50, 50), spread_over(40, 40, 20), 0.1)
    assert shift.index == stability_index((50, 50, 0), (40, 40, 20))
    assert shift.drifted


def test_the_change_of_a_mean_is_told_apart_from_chance_by_its_interval() -> None:
    change = mean_change(Spread(100, 1.0, 4.0), Spread(100, 2.0, 4.0))
    assert change.value == 1.0
    assert change.high - change.value == pytest.approx(1.96 * (8 / 100) ** 0.5, rel=1e-3)
    assert is_told_apart(change)
    assert not is_told_apart(mean_change(Spread(4, 1.0, 4.0), Spread(4, 2.0, 4.0)))
    assert not is_told_apart(Estimate(0.0, 0.0, 0.0))
