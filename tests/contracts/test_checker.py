"""What every Checker must do; one fixture per implementation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends.checks_gx import GreatExpectationsChecker
from airflow_mlops.core.values import Expectation
from airflow_mlops.exceptions import DataRefused

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.0, np.nan, 200.0],
        "plan": ["free", "pro", None, "secret-value"],
        "at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], utc=True),
    }
)


@pytest.fixture(params=[GreatExpectationsChecker])
def checker(request):
    return request.param()


def expect(name: str, severity="critical", **kwargs) -> Expectation:
    return Expectation(f"expect_{name}", kwargs, severity)


def test_results_come_in_the_order_asked_and_count_the_rows_at_fault(checker):
    asked = [
        expect("column_values_to_not_be_null", column="plan"),
        expect("table_row_count_to_be_between", min_value=1),
        expect("column_values_to_be_between", column="age", min_value=0, max_value=120),
        expect("column_values_to_not_be_null", column="age", mostly=0.5, severity="warning"),
    ]
    checked = checker.check(FRAME, asked)
    assert [item.expectation for item in checked] == asked
    assert [item.success for item in checked] == [False, True, False, True]
    assert (checked[0].rows, checked[0].unexpected) == (4, 1)
    assert (checked[2].rows, checked[2].unexpected) == (4, 1)


def test_values_of_rows_stay_out_of_the_result(checker):
    checked = checker.check(
        FRAME,
        [
            expect("column_values_to_be_in_set", column="plan", value_set=["free", "pro"]),
            expect("column_distinct_values_to_be_in_set", column="plan", value_set=["free"]),
        ],
    )
    assert not any(item.success for item in checked)
    assert "secret-value" not in repr([(item.observed, item.error, str(item)) for item in checked])


def test_what_could_not_be_computed_is_an_error_and_not_a_failure_like_others(checker):
    (missing, wrong) = checker.check(
        FRAME,
        [
            expect("column_values_to_be_between", column="absent", min_value=0),
            expect("column_mean_to_be_between", column="plan", min_value=0),
        ],
    )
    assert not missing.success
    assert "absent" in missing.error
    assert wrong.error is not None
    assert "Traceback" not in missing.error + wrong.error


def test_a_date_is_compared_with_time_stamps(checker):
    (held, failed) = checker.check(
        FRAME,
        [
            expect("column_values_to_be_between", column="at", min_value="2024-01-01"),
            expect("column_values_to_be_between", column="at", min_value="2024-01-03"),
        ],
    )
    assert held.success
    assert held.error is None
    assert (failed.success, failed.error, failed.unexpected) == (False, None, 2)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_values_stay_out_of_the_error_where_numbers_were_expected_and_text_came(checker, dtype):
    frame = FRAME.assign(plan=pd.Series(["O'secret", 'a "secret"', "a\nsecret", None], dtype=dtype))
    names = ["mean", "stdev", "median", "sum", "max"]
    checked = checker.check(
        frame, [expect(f"column_{name}_to_be_between", column="plan", min_value=0) for name in names]
    )
    assert not any(item.success for item in checked)
    assert all(item.error for item in checked)
    assert "secret" not in repr([(item.observed, item.error) for item in checked])


def test_times_are_compared_in_every_spelling(checker):
    checked = checker.check(
        FRAME,
        [
            expect("column_values_to_be_between", column="at", min_value="2024-01-02T12:00:00"),
            expect("column_values_to_be_between", column="at", min_value="2024-01-02 12:00:00+00:00"),
            expect("column_values_to_be_in_set", column="at", value_set=["2024-01-01", "2024-01-02"]),
            expect("column_values_to_be_in_set", column="plan", value_set=["2024-01-01"]),
        ],
    )
    assert [(item.unexpected, item.error) for item in checked] == [(2, None), (2, None), (2, None), (3, None)]


def test_one_expectation_asked_for_twice_is_answered_twice(checker):
    twice = [expect("column_values_to_not_be_null", column="plan")] * 2
    assert [item.unexpected for item in checker.check(FRAME, twice)] == [1, 1]


def test_an_aggregate_shows_its_number(checker):
    (mean,) = checker.check(FRAME, [expect("column_mean_to_be_between", column="age", max_value=10)])
    assert mean.observed == "83.3333"


def test_an_unknown_expectation_is_refused_with_the_nearest_name(checker):
    with pytest.raises(DataRefused, match="did you mean expect_column_values_to_not_be_null"):
        checker.check(FRAME, [expect("column_values_to_not_be_nul", column="age")])


def test_a_missing_argument_is_refused_by_name(checker):
    with pytest.raises(DataRefused, match="column"):
        checker.check(FRAME, [expect("column_values_to_not_be_null")])


def test_no_expectations_are_no_work(checker):
    assert checker.check(FRAME, []) == []
