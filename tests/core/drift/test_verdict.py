"""From scores to a signal: drift of the inputs."""

from __future__ import annotations

import pytest

from airflow_mlops.core.drift import COLUMNS_NAMED, drift_verdict
from airflow_mlops.core.values import ColumnDrift


def column(name: str, score: float, threshold: float = 0.1) -> ColumnDrift:
    return ColumnDrift(name, "psi", score, threshold)


def test_the_columns_that_moved_are_named_with_their_scores_worst_first() -> None:
    verdict = drift_verdict(
        [column("hour", 0.05), column("pressure", 0.2), column("wind_speed", 0.31), column("month", 0.01)],
        share=0.5,
    )
    assert verdict.drifted
    assert verdict.share == 0.5
    assert verdict.columns == ("wind_speed", "pressure")
    assert verdict.reasons == (
        "2 of 4 columns drifted (50 %), at or above the limit 50 %",
        "wind_speed: psi 0.3100, threshold 0.1000",
        "pressure: psi 0.2000, threshold 0.1000",
    )


def test_worst_is_relative_to_each_columns_threshold() -> None:
    verdict = drift_verdict([column("a", 3.0, threshold=2.0), column("b", 0.9, threshold=0.1)], share=1.0)
    assert verdict.columns == ("b", "a")


def test_a_share_below_the_limit_is_no_drift_and_still_names_the_columns() -> None:
    verdict = drift_verdict([column("a", 0.2), column("b", 0.0), column("c", 0.0)], share=0.5)
    assert not verdict.drifted
    assert verdict.columns == ("a",)
    assert verdict.reasons[0] == "1 of 3 columns drifted (33.3 %), below the limit 50 %"


def test_three_of_ten_meet_a_limit_of_thirty_percent() -> None:
    columns = [column(str(number), 1.0 if number < 3 else 0.0) for number in range(10)]
    assert drift_verdict(columns, share=0.3).drifted


def test_a_limit_of_zero_still_needs_one_drifted_column() -> None:
    assert not drift_verdict([column("a", 0.0)], share=0.0).drifted
    assert drift_verdict([column("a", 0.1), column("b", 0.0)], share=0.0).drifted


def test_hundreds_of_drifted_columns_do_not_flood_the_reasons() -> None:
    verdict = drift_verdict([column(f"c{number:03}", 1.0) for number in range(300)], share=0.3)
    assert len(verdict.columns) == 300
    assert len(verdict.reasons) == COLUMNS_NAMED + 2
    assert verdict.reasons[-1] == "and 280 more columns"


def test_no_column_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no column was compared"):
        drift_verdict([], share=0.3)


def test_just_as_many_columns_as_are_named_leave_no_rest() -> None:
    verdict = drift_verdict([column(f"c{number:03}", 1.0) for number in range(COLUMNS_NAMED)], share=0.3)
    assert len(verdict.reasons) == COLUMNS_NAMED + 1


def test_a_threshold_of_zero_does_not_break_the_order() -> None:
    verdict = drift_verdict([column("a", 0.1, threshold=0.0), column("b", 0.5, threshold=0.0)], share=0.1)
    assert verdict.columns == ("b", "a")
