"""What every Checker must do; one fixture per implementation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_mlops.backends import parquet_bytes
from airflow_mlops.backends.checks_gx import GreatExpectationsChecker
from airflow_mlops.backends.checks_parquet import ParquetChecker
from airflow_mlops.core.values import Expectation
from airflow_mlops.exceptions import DataRefused

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.0, np.nan, 200.0],
        "plan": ["free", "pro", None, "secret-value"],
        "at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], utc=True),
    }
)


@dataclass
class OnAFile:
    """The checker of files, asked as the one of frames is."""

    path: Path
    sample_rows: int = 100_000

    def check(self, frame, expectations):
        return list(self.checked(frame, expectations).expectations)

    def checked(self, frame, expectations):
        self.path.write_bytes(parquet_bytes.to_bytes(parquet_bytes.as_table(frame)))
        checker = ParquetChecker(GreatExpectationsChecker(), self.sample_rows)
        return checker.check_file(self.path, expectations)


@pytest.fixture(params=["frame", "file"])
def checker(request, tmp_path):
    return GreatExpectationsChecker() if request.param == "frame" else OnAFile(tmp_path / "rows.parquet")


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


def test_rows_at_fault_are_for_the_page_and_no_message_shows_them(tmp_path):
    asked = [
        expect("column_values_to_be_between", column="age", max_value=120),
        expect("column_values_to_be_in_set", column="plan", value_set=["free", "pro"]),
        expect("column_values_to_not_be_null", column="at"),
    ]
    checked = OnAFile(tmp_path / "rows.parquet").checked(FRAME, asked)
    assert checked.at_fault[0].columns == ("age", "plan", "at")
    assert checked.at_fault[0].rows == checked.at_fault[1].rows
    assert checked.at_fault[0].rows[0][:2] == ("200.0", "secret-value")
    assert 2 not in checked.at_fault
    assert "secret-value" not in repr(checked)


def test_what_is_not_pushed_down_is_told_from_a_sample_that_says_so_or_is_refused(tmp_path):
    frame = pd.DataFrame({"size": np.arange(50) / 2, "day": pd.to_datetime(["2024-01-01"] * 50).date})
    asked = [
        expect("column_values_to_match_regex", column="size", regex="[05]$"),
        expect("column_values_to_be_unique", column="day"),
        expect("column_values_to_be_between", column="size", max_value=1),
    ]
    sampled, refused, pushed = OnAFile(tmp_path / "rows.parquet", sample_rows=20).check(frame, asked)
    assert (sampled.outcome, sampled.rows, sampled.sampled_from) == ("held", 20, 50)
    assert str(sampled).endswith("0 of 20 rows (0 %), in a sample of 50 rows")
    assert (refused.outcome, refused.success) == ("errored", False)
    assert "a sample does not tell it, and 50 rows are more than the 20" in refused.error
    assert "because of a column of date32[day]" in refused.error
    assert (pushed.rows, pushed.unexpected, pushed.sampled_from) == (50, 47, None)


def test_what_is_not_pushed_down_is_checked_on_all_rows_where_there_are_few(tmp_path):
    frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"]).date})
    (unique,) = OnAFile(tmp_path / "rows.parquet").check(
        frame, [expect("column_values_to_be_unique", column="day")]
    )
    assert (unique.outcome, unique.rows, unique.unexpected, unique.sampled_from) == ("failed", 3, 2, None)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_text("no rows")
    with pytest.raises(DataRefused, match="cannot be read as Parquet"):
        ParquetChecker(GreatExpectationsChecker()).check_file(path, [])


def test_a_snapshots_own_column_of_parts_is_none_of_the_users(tmp_path):
    (count,) = OnAFile(tmp_path / "rows.parquet").check(
        FRAME.assign(__part__="train"), [expect("table_column_count_to_equal", value=3)]
    )
    assert count.success


def test_an_extreme_is_the_value_of_a_row_and_only_the_page_shows_it(checker):
    (highest,) = checker.check(FRAME, [expect("column_max_to_be_between", column="age", max_value=10)])
    assert highest.outcome == "failed"
    assert "observed 200" in highest.on_a_page
    assert "200" not in str(highest)
