"""Score intervals and tests of proportions, held against statsmodels, scipy and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from airflow_mlops.core.proportions import (
    normal,
    paired_difference,
    paired_test,
    proportion_test,
    quantile,
    student,
    tango,
    wilson,
)

Z = quantile(0.95)


@pytest.mark.parametrize(("hits", "rows"), [(0, 20), (1, 20), (7, 30), (500, 1000), (29, 29)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilsons_interval_is_that_of_statsmodels(hits: int, rows: int, confidence: float) -> None:
    ours = wilson(hits, rows, quantile(confidence))
    low, high = proportion_confint(hits, rows, alpha=1 - confidence, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(("hits", "rows", "bound"), [(7, 30, 0.4), (7, 30, 0.1), (500, 1000, 0.49)])
def test_the_test_of_a_proportion_is_that_of_statsmodels(hits: int, rows: int, bound: float) -> None:
    ours = proportion_test(hits, rows, bound)
    smaller, larger = (
        proportions_ztest(hits, rows, bound, alternative=side, prop_var=bound)[1]
        for side in ("smaller", "larger")
    )
    assert (ours.below, ours.above) == pytest.approx((smaller, larger), abs=1e-12)


def test_tangos_interval_is_the_published_one() -> None:
    """Airway hyper-responsiveness of 21 children before and after stem cell transplantation (Bentur et al.
    2009): 1 and 7 changed one way and the other. Fagerland, Lydersen and Laake (2014), "Recommended tests and
    confidence intervals for paired binomial proportions", table IV, give -0.517 to -0.026."""
    found = paired_difference(1, 7, 21, Z)
    assert (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)
    assert found.value == pytest.approx(-6 / 21)


PAIRS = [(1, 7, 21), (40, 20, 160), (3, 2, 50), (150, 86, 1600), (12, 0, 40), (0, 5, 30), (900, 850, 100_000)]


@pytest.mark.parametrize(("better", "worse", "rows"), PAIRS)
def test_tangos_interval_has_the_ends_of_its_closed_form(better: int, worse: int, rows: int) -> None:
    """Yang, Sun and Hardin (2013), Statistics in Medicine 32:1336: the ends are roots of a quartic. Other
    algebra than ours, and no likelihood in it."""
    g, gap, both = Z * Z, better - worse, better + worse
    quartic = [
        rows**2 * (rows / g + 1) ** 2,
        -rows * gap * (rows / g + 1) * (4 * rows / g + 1),
        2 * rows * gap**2 * (3 * rows / g + 2) / g - rows**2 * (both / g + 1),
        rows * gap * (2 * both / g + 1) - gap**3 * (4 * rows / g + 1) / g,
        gap**2 * (gap**2 / g - both) / g,
    ]
    roots = np.roots(quartic)
    found = paired_difference(better, worse, rows, Z)
    for end in (found.low, found.high):
        assert min(abs(root - end) for root in roots) < 1e-6


@pytest.mark.parametrize(("better", "worse", "rows"), PAIRS)
def test_the_nuisance_parameter_is_at_the_likelihoods_maximum(better: int, worse: int, rows: int) -> None:
    """The score statistic at a margin, with the maximum found by brute force instead of Tango's formula."""
    for margin in (-0.1, -0.02, 0.03, 0.2):
        low = max(0.0, -margin)
        share = np.linspace(low + 1e-9, (1 - margin) / 2 - 1e-9, 400_001)
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = better * np.log(share + margin) + worse * np.log(share)
            likelihood += (rows - better - worse) * np.log(1 - 2 * share - margin)
        best = share[np.nanargmax(likelihood)]
        expected = (better - worse - rows * margin) / (rows * (2 * best + margin * (1 - margin))) ** 0.5
        assert tango(better, worse, rows, margin) == pytest.approx(expected, abs=2e-3 * (1 + abs(expected)))


@pytest.mark.parametrize(("better", "worse", "rows"), PAIRS)
def test_at_no_difference_the_test_is_mcnemars(better: int, worse: int, rows: int) -> None:
    known = mcnemar([[0, better], [worse, 0]], exact=False, correction=False)
    ours = paired_test(better, worse, rows, 0.0)
    assert 2 * min(ours.below, ours.above) == pytest.approx(known.pvalue, rel=1e-9)
    assert tango(better, worse, rows, 0.0) ** 2 == pytest.approx(known.statistic, rel=1e-9)


def test_two_models_that_decide_alike_on_few_rows_may_differ_on_more() -> None:
    found = paired_difference(0, 0, 100, Z)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0, -Z * Z / (100 + Z * Z), Z * Z / (100 + Z * Z))
    )
    assert paired_test(0, 0, 100, -0.05).above == pytest.approx(
        stats.norm.sf((100 * 0.05 / 0.95) ** 0.5), rel=0.2
    )


def test_the_interval_of_a_difference_holds_the_truth_in_nineteen_of_twenty_samples() -> None:
    random, held = np.random.default_rng(7), 0
    for better, worse, _ in random.multinomial(60, [0.12, 0.05, 0.83], size=2_000):
        found = paired_difference(int(better), int(worse), 60, Z)
        held += found.low <= 0.07 <= found.high
    assert 0.935 <= held / 2_000 <= 0.975


@pytest.mark.parametrize("degrees", [5, 10, 29, 200])
def test_students_quantile_is_near_scipys_and_undone_by_the_normal_one(degrees: int) -> None:
    for share in (0.9, 0.975, 0.995):
        ours = student(stats.norm.ppf(share), degrees)
        assert ours == pytest.approx(stats.t.ppf(share, degrees), rel=0.01)
        assert normal(ours, degrees) == pytest.approx(stats.norm.ppf(share), abs=1e-12)
        assert normal(-ours, degrees) == pytest.approx(-stats.norm.ppf(share), abs=1e-12)
