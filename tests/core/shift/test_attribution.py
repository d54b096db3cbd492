"""What explains the change of a mean: parts and rest add up to it, whatever moved."""

from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.shift.attribution import (
    SAMPLING,
    SERVED_OTHERWISE,
    Part,
    SliceRows,
    attribute,
    by_slice,
)
from airflow_mlops.core.values import Estimate

SCORE = st.floats(-1e3, 1e3)
SIDE = st.dictionaries(
    st.sampled_from("abcdef"), st.builds(SliceRows, st.integers(0, 1000), SCORE), min_size=1
).map(lambda side: {name: one if one.rows else SliceRows(0, 0.0) for name, one in side.items()})


def mean(side: dict[str, SliceRows]) -> float:
    return fsum(one.total for one in side.values()) / sum(one.rows for one in side.values())


@given(
    SIDE.filter(lambda side: any(one.rows for one in side.values())),
    SIDE.filter(lambda side: any(one.rows for one in side.values())),
)
def test_mix_and_within_of_all_slices_add_up_to_the_change(reference, window) -> None:
    change = mean(window) - mean(reference)
    table = by_slice("plan", reference, window, change)
    scale = max(1.0, *(abs(one.total) for one in (*reference.values(), *window.values())))
    assert fsum([table.mix, table.within, table.rest]) == pytest.approx(change, abs=1e-12 * scale)
    assert table.rest == pytest.approx(0.0, abs=1e-9 * scale)


def test_a_larger_share_of_a_high_slice_is_mix_and_a_higher_score_is_within() -> None:
    reference = {"pro": SliceRows(50, 40.0), "free": SliceRows(50, 10.0)}
    mixed = by_slice("plan", reference, {"pro": SliceRows(75, 60.0), "free": SliceRows(25, 5.0)}, 0.15)
    assert mixed.mix == pytest.approx(0.15)
    assert mixed.within == pytest.approx(0.0)
    raised = by_slice("plan", reference, {"pro": SliceRows(50, 45.0), "free": SliceRows(50, 10.0)}, 0.05)
    assert (raised.mix, raised.within) == (pytest.approx(0.0), pytest.approx(0.05))
    assert raised.slices[0].value == "pro"


def test_a_slice_that_one_side_does_not_have_is_all_mix() -> None:
    reference, window = {"pro": SliceRows(10, 5.0)}, {"pro": SliceRows(10, 5.0), "team": SliceRows(10, 9.0)}
    table = by_slice("plan", reference, window, 0.2)
    new = next(one for one in table.slices if one.value == "team")
    assert (new.means, new.within) == ((None, 0.9), 0.0)
    assert table.mix == pytest.approx(0.2)


def test_what_was_not_drawn_is_named_as_the_rest() -> None:
    side = {"pro": SliceRows(10, 5.0)}
    assert by_slice("plan", side, side, 0.03).rest == pytest.approx(0.03)


def test_a_side_without_rows_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="no rows"):
        by_slice("plan", {"pro": SliceRows(0, 0.0)}, {"pro": SliceRows(1, 1.0)}, 0.0)


@given(st.tuples(SCORE, SCORE), st.tuples(SCORE, SCORE), st.tuples(SCORE, SCORE), st.lists(SCORE, max_size=9))
def test_features_and_rest_add_up_to_the_change_of_the_mean(means, drawn, asked, parts) -> None:
    found = attribute(
        "mean probability",
        means=means,
        drawn=drawn,
        asked=asked,
        change=Estimate(means[1] - means[0], 0.0, 0.0),
        features=[Part(f"f{place}", part) for place, part in enumerate(parts)],
        rows=10,
    )
    total = fsum(part.change for part in (*found.features, *found.rest))
    assert total == pytest.approx(means[1] - means[0], abs=1e-9)


def told(change: Estimate, **given):
    pairs = {"means": (0.2, 0.3), "drawn": (0.2, 0.3), "asked": (0.2, 0.3)} | given
    parts = [Part("age", -0.02), Part("spend", 0.12)]
    return attribute("mean probability", change=change, features=parts, rows=10, **pairs)


def test_the_rest_says_whether_rows_were_not_drawn_or_served_otherwise() -> None:
    change = Estimate(0.1, 0.05, 0.15)
    skewed = {part.name: part.change for part in told(change, drawn=(0.2, 0.35), means=(0.2, 0.35)).rest}
    assert skewed == {SERVED_OTHERWISE: pytest.approx(0.05), SAMPLING: pytest.approx(0.0)}
    unlucky = {part.name: part.change for part in told(change, means=(0.2, 0.34)).rest}
    assert unlucky == {SERVED_OTHERWISE: pytest.approx(0.0), SAMPLING: pytest.approx(0.04)}


def test_the_largest_part_comes_first_and_a_change_by_chance_has_no_shares() -> None:
    found = told(Estimate(0.1, 0.05, 0.15))
    assert [part.name for part in found.features] == ["spend", "age"]
    assert found.share(found.features[0].change) == pytest.approx(1.2)
    assert told(Estimate(0.1, -0.05, 0.25)).share(0.12) is None
