"""Every decision is that of the exact computation on the raw rows: methods, shifts, sizes, by scipy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from airflow_mlops.backends.drift.detector import StreamingDriftDetector

METHODS = ["psi", "ks", "chi_squared", "wasserstein", "jensenshannon"]
KINDS = {
    "normal": "numeric",
    "waits": "numeric",
    "whole": "numeric",
    "zeros": "numeric",
    "plan": "categorical",
    "town": "categorical",
}
SHIFTS = [0.0, 0.05, 0.15, 0.35, 1.0]
SIZES = [200, 1_000, 20_000]
RATE, THRESHOLD = 0.05, 0.1


@cache
def frame(rows: int, shift: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    zeros = np.where(rng.random(rows) < 0.7 - 0.2 * shift, 0.0, rng.exponential(2, rows))
    odds = np.array([5, 3, 2, 1 + 4 * shift, 0.5, 0.02])
    return pd.DataFrame(
        {
            "normal": rng.normal(shift, 1, rows),
            "waits": rng.exponential(np.exp(shift), rows),
            "whole": np.floor(rng.normal(50 + 12 * shift, 12, rows)),
            "zeros": zeros,
            "plan": rng.choice(list("abcdef"), rows, p=odds / odds.sum()),
            "town": _towns(rows, shift, rng),
        }
    )


def _towns(rows: int, shift: float, rng: np.random.Generator) -> np.ndarray:
    """One that most live in, and two hundred rare ones: some grow as others shrink."""
    odds = np.append(100.0, np.geomspace(4, 0.02, 200) * np.exp(1.5 * shift * rng.permutation([-1, 1] * 100)))
    return np.char.add("t", rng.choice(201, rows, p=odds / odds.sum()).astype(str))


def exact(reference: pd.Series, current: pd.Series, method: str) -> tuple[float, float]:
    """Effect and p-value from the raw values."""
    if method in ("ks", "wasserstein") and reference.dtype == float:
        tested = stats.ks_2samp(reference, current, method="asymp")
        if method == "ks":
            return tested.statistic, tested.pvalue
        return stats.wasserstein_distance(reference, current) / reference.std(ddof=0), tested.pvalue
    method = {"ks": "chi_squared", "wasserstein": "jensenshannon"}.get(method, method)
    bins = pd.factorize(binned(reference, current), sort=True)[0]
    sides = bins[: len(reference)], bins[len(reference) :]
    table = np.stack([np.bincount(side, minlength=bins.max() + 1) for side in sides])
    p_value = stats.chi2_contingency(pooled(table), correction=False).pvalue
    ours, theirs = table / table.sum(axis=1, keepdims=True)
    if method == "jensenshannon":
        return jensenshannon(ours, theirs, base=2), p_value
    if method == "chi_squared":
        return np.sqrt(((ours - theirs) ** 2 / (ours + theirs)).sum() / 2), p_value
    ours, theirs = np.maximum(ours, 1e-4), np.maximum(theirs, 1e-4)
    return ((theirs - ours) * np.log(theirs / ours)).sum(), p_value


def pooled(table: np.ndarray) -> np.ndarray:
    """Rare bins go together, the smallest first, until five rows are expected on both sides; one that is left
    stays where it has one and four others have five."""

    def least(columns: list[np.ndarray]) -> float:
        share = sum(columns).sum() / table.sum()
        return share * table.sum(axis=1).min()

    bins = sorted(table.T, key=lambda column: least([column]))
    large = [[one] for one in bins if least([one]) >= 5]
    groups: list[list[np.ndarray]] = []
    for one in bins[: len(bins) - len(large)]:
        if not groups or least(groups[-1]) >= 5:
            groups.append([])
        groups[-1].append(one)
    if groups and least(groups[-1]) < 5:
        left = groups.pop()
        if large and least(left) >= 1 and len(groups) + len(large) >= 4:
            groups.append(left)
        elif large:
            large[0] += left
        else:
            groups = [*groups[:-1], [*(groups[-1] if groups else []), *left]]
    return np.stack([sum(group) for group in [*groups, *large]], axis=1)


def binned(reference: pd.Series, current: pd.Series) -> np.ndarray:
    both = np.concatenate((reference, current))
    if both.dtype != float:
        return np.where(np.isin(both, reference.unique()), both, "~new")
    deciles = np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf")
    alone = [value for value in np.unique(deciles) if (reference == value).mean() >= 0.1]
    # Twice the number of deciles below, and one more on a value that is a bin by itself.
    return 2 * np.searchsorted(deciles, both, side="left") + np.isin(both, alone)


@pytest.mark.parametrize("method", METHODS)
def test_every_decision_is_that_of_the_exact_computation(rows, plan, method):
    reference, asked, detector = frame(6_000, 0.0, 1), plan(KINDS, method), StreamingDriftDetector()
    known = detector.profile(rows(reference, "reference"), asked)
    decisions = []
    for seed, (shift, size) in enumerate((shift, size) for shift in SHIFTS for size in SIZES):
        current = frame(size, shift, seed + 2)
        found = detector.compare(known, rows(current), asked).columns
        effects, p_values = zip(
            *(exact(reference[name], current[name], method) for name in KINDS), strict=True
        )
        corrected = stats.false_discovery_control(p_values)
        expected = [
            bool(effect >= THRESHOLD and p_value <= RATE)
            for effect, p_value in zip(effects, corrected, strict=True)
        ]
        assert [look.drifted for look in found] == expected, (shift, size, found, effects, corrected)
        np.testing.assert_allclose([look.score for look in found], effects, atol=1e-3)
        decisions += expected
    assert 0.2 < np.mean(decisions) < 0.8


def test_a_small_reference_leaves_no_error_at_all(rows, plan):
    reference, current = frame(1_500, 0.0, 1), frame(1_000, 0.2, 2)
    for method in METHODS:
        asked, detector = plan(KINDS, method), StreamingDriftDetector()
        known = detector.profile(rows(reference, "reference"), asked)
        found = detector.compare(known, rows(current), asked).columns
        expected = [exact(reference[name], current[name], method)[0] for name in KINDS]
        tolerance = 1e-3 if method == "wasserstein" else 1e-12
        np.testing.assert_allclose([look.score for look in found], expected, atol=tolerance)
