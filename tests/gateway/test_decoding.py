"""The quick way to rows takes nothing that the thorough one refuses, and reads the rest the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlops.gateway.decoding import PredictDecoder
from airflow_mlops.gateway.rows import Signature
from airflow_mlops.gateway.validation import InvalidRequest, checked_rows

SIGNATURE = Signature(
    {"temp": "numeric", "a b": "categorical", "note": "text"}, key_column="flight", time_column="departs"
)
DECODER = PredictDecoder(SIGNATURE, max_rows=4)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "AA", "\U0001f680", "2013-04-01", "2013-04-01T06:00:00Z", "tomorrow"])
    | st.text(max_size=5)
)
GOOD = st.fixed_dictionaries(
    {
        "temp": st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "a b": st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        "note": st.none() | st.text(max_size=3),
    },
    optional={
        "flight": st.sampled_from([None, "", 7, "7b"]),
        "departs": st.none() | st.datetimes().map(str),
    },
)
ANY = st.dictionaries(st.sampled_from([*SIGNATURE.fields(), "more"]), SCALARS)


def outcome(read: Any) -> Any:
    try:
        rows = read()
    except InvalidRequest as error:
        return error.detail()
    return list(rows.keys), [tuple(map(same, row)) for row in rows.values]


def same(value: Any) -> Any:
    """A number by its value as a float, since one way reads 1 as 1.0."""
    return float(value) if type(value) in (int, float) else (type(value), value)


@given(st.lists(GOOD, max_size=5) | st.lists(GOOD | ANY, max_size=5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_both_ways_agree_on_every_body(rows: list[Any], escaped: bool) -> None:
    body = json.dumps({"rows": rows}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    thorough = outcome(lambda: checked_rows(body, "predict", SIGNATURE, max_rows=4, key_base="k"))
    assert outcome(lambda: DECODER.rows(body, "k")) == thorough


@pytest.mark.parametrize("column", ["temp", "note"])
def test_a_key_that_is_a_feature_too_is_read_as_both(column: str) -> None:
    signature = Signature({"temp": "numeric", "note": "text"}, key_column=column)
    rows = PredictDecoder(signature, max_rows=4).rows(b'{"rows": [{"temp": 7, "note": "x"}]}', "k")
    assert (list(rows.keys), rows.values) == ([{"temp": "7", "note": "x"}[column]], [(7, "x")])


def test_a_model_of_one_feature_has_rows_of_one_value() -> None:
    decoder = PredictDecoder(Signature({"temp": "numeric"}), max_rows=4)
    assert decoder.rows(b'{"rows": [{"temp": 7}, {"temp": null}]}', "k").values == [(7.0,), (None,)]
