"""Correction for many looks: statsmodels' numbers, families that were not all looked at, and levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from airflow_mlops.core.gates.multiple import corrected, factors

P_VALUES = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=40)


@pytest.mark.parametrize(("correction", "theirs"), [("holm", "holm"), ("benjamini_hochberg", "fdr_bh")])
@settings(max_examples=10)
@given(p_values=P_VALUES)
def test_corrected_p_values_are_those_of_statsmodels(correction, theirs, p_values) -> None:
    expected = multipletests(p_values, method=theirs)[1]
    assert corrected(p_values, correction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("correction", "theirs"), [("holm", "holm"), ("benjamini_hochberg", "fdr_bh")])
@settings(max_examples=10)
@given(p_values=P_VALUES, more=st.integers(0, 60))
def test_what_was_not_worth_a_look_counts_as_a_look_that_found_nothing(
    correction, theirs, p_values, more
) -> None:
    expected = multipletests([*p_values, *[1.0] * more], method=theirs)[1][: len(p_values)]
    assert corrected(p_values, correction, len(p_values) + more) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg", "none"])
@given(p_values=P_VALUES, level=st.floats(1e-4, 0.2))
def test_the_level_of_a_look_says_the_same_as_its_corrected_p_value(correction, p_values, level) -> None:
    whole = corrected(p_values, correction)
    for p_value, factor, by_p in zip(p_values, factors(p_values, correction), whole, strict=True):
        if not np.isclose(by_p, level, rtol=1e-9):
            assert (p_value < level / factor) == (by_p < level)


def test_without_correction_every_look_is_alone() -> None:
    assert corrected([0.01, 0.04], "none") == [0.01, 0.04]


def test_a_p_value_of_zero_stays_zero_and_has_a_level() -> None:
    assert corrected([0.0, 0.5], "holm") == [0.0, 0.5]
    assert factors([0.0, 0.5], "holm") == [2.0, 1.0]


def test_nothing_looked_at_is_nothing_corrected() -> None:
    assert corrected([], "holm") == []


def test_a_family_is_no_smaller_than_what_was_looked_at() -> None:
    with pytest.raises(ValueError, match="3 looks are more than the 2"):
        corrected([0.1, 0.2, 0.3], "holm", 2)
