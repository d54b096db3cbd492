"""Is a share what it should be?"""

from __future__ import annotations

from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_mlops.core.sequential import share_evidence, share_sequence

counts = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(lambda two: (min(two), max(two)))


def test_it_is_the_beta_binomial_over_the_binomial() -> None:
    seen = stats.betabinom.pmf(30, 100, 1, 1) / stats.binom.pmf(30, 100, 0.2)
    assert share_evidence(30, 100, 0.2, 0.2) == pytest.approx(seen)


def test_the_best_share_in_the_range_counts() -> None:
    inside = share_evidence(30, 100, 0.2, 0.4)
    assert inside == pytest.approx(share_evidence(30, 100, 0.3, 0.3))
    assert inside < 1 < share_evidence(60, 100, 0.2, 0.4)
    assert share_evidence(60, 100, 0.2, 0.4) == pytest.approx(share_evidence(60, 100, 0.4, 0.4))


def test_what_a_share_of_nothing_or_all_excludes_is_proof() -> None:
    assert share_evidence(1, 10, 0.0, 0.0) > 1e300
    assert share_evidence(9, 10, 1.0, 1.0) > 1e300
    assert share_evidence(0, 10, 0.0, 0.0) < 1
    assert share_evidence(0, 0, 0.1, 0.1) == 1.0
    assert share_evidence(1, 10, 0.0, 0.0) < inf


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="5 hits in 4 rows"):
        share_evidence(5, 4, 0.1, 0.2)
    with pytest.raises(ValueError, match="no share lies"):
        share_evidence(1, 4, 0.3, 0.2)
    with pytest.raises(ValueError, match="chance between"):
        share_sequence(1, 4, 1.0)


@given(counts=counts, millionths=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)))
def test_evidence_does_not_depend_on_which_arm_is_counted(
    counts: tuple[int, int], millionths: tuple[int, int]
) -> None:
    """Of bounds that one less themselves can tell from nought and one."""
    hits, rows = counts
    low, high = (one / 10**6 for one in sorted(millionths))
    mirrored = share_evidence(rows - hits, rows, 1 - high, 1 - low)
    assert mirrored == pytest.approx(share_evidence(hits, rows, low, high), rel=1e-4)


@given(counts=counts, alpha=st.floats(0.001, 0.5))
def test_the_sequence_holds_the_share_and_ends_where_the_evidence_begins(
    counts: tuple[int, int], alpha: float
) -> None:
    hits, rows = counts
    low, high = share_sequence(hits, rows, alpha)
    assert 0 <= low <= high <= 1
    if rows:
        assert low <= hits / rows <= high
    for end, step in ((low, -1e-5), (high, 1e-5)):
        if 0 < end < 1:
            beyond = min(max(end + step, 0.0), 1.0)
            assert share_evidence(hits, rows, beyond, beyond) >= 1 / alpha * (1 - 1e-6)


def misses(share: float, random: Random) -> bool:
    hits = 0
    for rows in range(1, 1_501):
        hits += random.random() < share
        if rows % 10 == 0:
            low, high = share_sequence(hits, rows, 0.05)
            if not low <= share <= high:
                return True
    return False


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_150_looks_rarely_miss_the_true_share(share: float) -> None:
    random = Random(20261127)
    assert sum(misses(share, random) for _ in range(60)) <= 0.05 * 60 + 3
