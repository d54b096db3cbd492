"""Evidence about a quantile, from counts between edges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.latencies import BUCKETS, EDGES, bucket
from airflow_mlops.core.sequential import above_evidence, quantile_of, rate_evidence, ratio_evidence

edges = (0.1, 0.2, 0.4, 0.8)
counts = st.lists(st.integers(0, 300), min_size=5, max_size=5)


def counted(values: Sequence[float], edges: Sequence[float] = EDGES) -> list[int]:
    found = [0] * (len(edges) + 1)
    for value in values:
        found[bisect_right(edges, value)] += 1
    return found


def test_above_a_limit_is_the_evidence_of_the_rate_beyond_it() -> None:
    counts = [50, 30, 10, 6, 4]
    assert above_evidence(counts, edges, 0.9, 0.4) == pytest.approx(rate_evidence(10, 100, 0.1))
    assert above_evidence(counts, edges, 0.5, 0.1) == rate_evidence(50, 100, 0.5)


def test_a_limit_between_edges_counts_what_is_surely_beyond_it() -> None:
    counts = [50, 30, 10, 6, 4]
    assert above_evidence(counts, edges, 0.9, 0.3) == above_evidence(counts, edges, 0.9, 0.4)
    assert above_evidence(counts, edges, 0.9, 2.0) == 1.0


def test_counts_of_other_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="4 edges part values into 5 counts, not 4"):
        above_evidence([1, 2, 3, 4], edges, 0.9, 0.3)


@given(ours=counts, theirs=counts, quantile=st.sampled_from([0.5, 0.9, 0.99]), ratio=st.floats(1, 4))
def test_the_best_point_is_found_without_trying_each(
    ours: list[int], theirs: list[int], quantile: float, ratio: float
) -> None:
    def tried(place: int) -> float:
        beyond = next((number for number, edge in enumerate(edges) if edge >= ratio * edges[place]), None)
        if beyond is None:
            return 0.0
        slower = rate_evidence(sum(ours[beyond + 1 :]), sum(ours), 1 - quantile)
        faster = rate_evidence(list(accumulate(theirs))[place], sum(theirs), quantile)
        return min(slower, faster)

    best = max(tried(place) for place in range(len(edges))) / 2
    found = ratio_evidence(ours, theirs, edges, quantile, ratio)
    assert found == pytest.approx(best if best else 0.5)


@given(ours=counts, theirs=counts, quantile=st.floats(0.05, 0.99))
def test_two_arms_are_not_each_proven_slower_than_the_other(
    ours: list[int], theirs: list[int], quantile: float
) -> None:
    one = ratio_evidence(ours, theirs, edges, quantile, 1.0)
    other = ratio_evidence(theirs, ours, edges, quantile, 1.0)
    assert min(one, other) <= 0.5 + 1e-9


@given(ours=counts, theirs=counts)
def test_a_larger_ratio_is_never_proven_more(ours: list[int], theirs: list[int]) -> None:
    one, two = (ratio_evidence(ours, theirs, edges, 0.9, ratio) for ratio in (1.0, 2.0))
    assert two <= one or two == 0.5


def test_a_ratio_beyond_all_edges_is_not_proven() -> None:
    assert ratio_evidence([0, 0, 0, 0, 500], [500, 0, 0, 0, 0], edges, 0.5, 100.0) == 0.5


def test_where_a_quantile_lies_is_told_from_its_edges() -> None:
    assert quantile_of([0, 0, 0, 0, 0], edges, 0.5) is None
    assert quantile_of([0, 10, 0, 0, 0], edges, 0.5) == pytest.approx((0.1 * 0.2) ** 0.5)
    assert quantile_of([10, 0, 0, 0, 0], edges, 0.99) == pytest.approx(0.1 / 2**0.5)
    assert quantile_of([0, 0, 0, 0, 10], edges, 0.01) == pytest.approx(0.8 * 2**0.5)
    assert quantile_of([1, 0], (0.3,), 0.5) == 0.3


@given(seconds=st.floats(0, 1_000))
def test_a_latency_is_counted_between_its_edges(seconds: float) -> None:
    place = bucket(seconds)
    assert 0 <= place < BUCKETS == len(EDGES) + 1
    assert place == 0 or EDGES[place - 1] <= seconds * (1 + 1e-12)
    assert place == len(EDGES) or seconds < EDGES[place] * (1 + 1e-12)


def ever_proven(factor: float, random: Random, quantile: float) -> bool:
    ours, theirs = [0] * BUCKETS, [0] * BUCKETS
    for _ in range(40):
        for _ in range(50):
            ours[bucket(factor * random.lognormvariate(-3, 0.5))] += 1
            theirs[bucket(random.lognormvariate(-3, 0.5))] += 1
        if ratio_evidence(ours, theirs, EDGES, quantile, 1.0) >= 20:
            return True
    return False


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_forty_looks_rarely_prove_a_slowness_that_is_not_there(quantile: float) -> None:
    random = Random(20261127)
    assert sum(ever_proven(1.0, random, quantile) for _ in range(60)) <= 0.05 * 60 + 3


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_a_challenger_that_takes_half_as_long_again_is_found_out(quantile: float) -> None:
    random = Random(20261128)
    assert sum(ever_proven(1.5, random, quantile) for _ in range(20)) >= 19
