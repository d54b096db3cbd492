"""The frozen values: how they read, and that JSON gives them back."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter

from airflow_mlops.core.retraining import Decision
from airflow_mlops.core.values import (
    ArmObservation,
    CheckedExpectation,
    ColumnDrift,
    Estimate,
    Evaluation,
    Expectation,
    ModelRef,
    Observation,
    Report,
    Rollout,
    RunInfo,
    RunKey,
    RunRef,
    Verdict,
)
from airflow_mlops.core.windows import Window, WindowSources

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
WINDOW = Window(datetime(2026, 2, 1, tzinfo=timezone.utc), NOW)


@pytest.mark.parametrize(
    "value",
    [
        Evaluation(
            rows=900,
            confidence=0.95,
            challenger={"roc_auc": Estimate(0.71, 0.70, 0.72)},
            champion=ModelRef("flight_delay", "3"),
            champion_metrics={"roc_auc": Estimate(0.70, 0.69, 0.71)},
            difference={"roc_auc": Estimate(0.01, 0.0, 0.02)},
            report=Report("evaluation", "file:///reports/e.html", {"rows": 900}),
        ),
        Observation("m-v4", "canary", 0.1, NOW, None, ArmObservation("4", 10, 1, 0.1, 0.2, 0.3, (1, 2))),
        Rollout("m-v4", ModelRef("m", "4"), None, RunRef("abc", "models:/m/4")),
        RunInfo(RunKey("m.train", "manual__1"), "manual", WindowSources(params=WINDOW, run_after=NOW), NOW),
        Verdict("inconclusive", ("142 of 200 rows",)),
        Decision("retrain", "decay", ("roc_auc fell",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_survives_json(value: Any) -> None:
    adapter = TypeAdapter(type(value))
    assert adapter.validate_json(adapter.dump_json(value)) == value
    assert adapter.validate_python(adapter.dump_python(value, mode="json")) == value


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Verdict("pass", ()).outcome = "fail"  # type: ignore[misc] # that is the point


def test_an_estimate_reads_as_value_and_interval_without_a_negative_zero() -> None:
    assert str(Estimate(0.70314, 0.695, 0.7112)) == "0.7031 (0.6950 to 0.7112)"
    assert str(Estimate(-0.0, -0.00001, 0.5)) == "0.0000 (0.0000 to 0.5000)"


def test_only_a_pass_has_passed() -> None:
    assert [Verdict(outcome, ()).passed for outcome in ("pass", "fail", "inconclusive")] == [
        True,
        False,
        False,
    ]


def test_a_column_at_its_threshold_has_drifted() -> None:
    assert ColumnDrift("hour", "psi", 0.1, 0.1).drifted
    assert not ColumnDrift("hour", "psi", 0.0999, 0.1).drifted


NOT_NULL = Expectation("expect_column_values_to_not_be_null", {"column": "pressure"})


@pytest.mark.parametrize(
    ("checked", "text"),
    [
        (
            CheckedExpectation(NOT_NULL, False, rows=800, unexpected=12),
            "expect_column_values_to_not_be_null on pressure: 12 of 800 rows (1.5 %)",
        ),
        (
            CheckedExpectation(NOT_NULL, False, rows=800, unexpected=800),
            "expect_column_values_to_not_be_null on pressure: 800 of 800 rows (100 %)",
        ),
        (
            CheckedExpectation(NOT_NULL, True, rows=0, unexpected=0),
            "expect_column_values_to_not_be_null on pressure",
        ),
        (
            CheckedExpectation(NOT_NULL, False, rows=800, observed="none"),
            "expect_column_values_to_not_be_null on pressure: observed none",
        ),
        (
            CheckedExpectation(NOT_NULL, False, error="no such column"),
            "expect_column_values_to_not_be_null on pressure: could not be computed: no such column",
        ),
        (
            CheckedExpectation(Expectation("expect_table_row_count_to_be_between", {}), False, observed="3"),
            "expect_table_row_count_to_be_between: observed 3",
        ),
        (
            CheckedExpectation(Expectation("expect_table_row_count_to_be_between", {}), True),
            "expect_table_row_count_to_be_between",
        ),
    ],
)
def test_a_checked_expectation_says_what_it_is_about_and_how_many_rows_are_at_fault(
    checked: CheckedExpectation, text: str
) -> None:
    assert str(checked) == text
