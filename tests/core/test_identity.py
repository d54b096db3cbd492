"""Names that stay the same on a retry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlops.core.identity import canonical_json, content_hash, sticky_share

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=6))
def test_the_order_of_keys_does_not_change_the_hash(value: dict[str, object]) -> None:
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)


def test_the_hash_is_that_of_the_canonical_text() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"\\u00e9","b":[1,null]}'
    assert content_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_refused(value: float) -> None:
    with pytest.raises(ValueError):
        content_hash({"score": value})


@given(key=st.text(), salt=st.text())
def test_a_key_always_falls_in_the_same_place_from_0_up_to_1(key: str, salt: str) -> None:
    share = sticky_share(key, salt)
    assert 0 <= share < 1
    assert share == sticky_share(key, salt)


def test_the_place_of_a_key_is_fixed_for_ever() -> None:
    # A change here moves rows between versions in the middle of a rollout.
    assert sticky_share("row-1", "flight_delay-v4") == pytest.approx(0.67653215, abs=1e-8)


@given(key=st.text(), weights=st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_raising_the_weight_never_moves_a_row_back_to_the_champion(key: str, weights: list[float]) -> None:
    taken = [sticky_share(key, "flight_delay-v4") < weight for weight in sorted(weights)]
    assert taken == sorted(taken)


@pytest.mark.parametrize("salt", ["flight_delay-v4", "flight_delay-v5"])
def test_keys_fall_evenly(salt: str) -> None:
    counts = [0] * 10
    for number in range(10_000):
        counts[int(10 * sticky_share(f"row-{number}", salt))] += 1
    chi_square = sum((count - 1_000) ** 2 / 1_000 for count in counts)
    assert chi_square < 27.9  # one in a thousand, at 9 degrees of freedom


def test_another_rollout_picks_other_rows() -> None:
    keys = [f"row-{number}" for number in range(10_000)]
    first = {key for key in keys if sticky_share(key, "flight_delay-v4") < 0.1}
    second = {key for key in keys if sticky_share(key, "flight_delay-v5") < 0.1}
    assert 50 < len(first & second) < 150
