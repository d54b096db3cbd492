"""Validate: hold the snapshot against the expectations and look for leakage, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import CheckedExpectation, DatasetRef, Expectation, Report, RunInfo
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.leakage import Leak, leaks_of
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest

if TYPE_CHECKING:
    import pandas as pd


def validate(request: DatasetRequest, backends: Backends) -> Report:
    """Check every expectation and look for leakage. Raises ``DataRefused`` that lists what is critical with
    its counts; sample rows go to the report only, never to the log or XCom.
    """
    config, dataset = request.config, request.snapshot.dataset
    frame = backends.datasets.load(dataset, "all")
    checked = backends.checker().check(frame, expectations_of(config))
    leaks = leaks_of(config, dataset, frame, backends)
    report = keep_report(config, request.run, "validation", frame, checked, backends, leaks)
    stopped = [item for item in checked if at_fault(item, "critical")]
    leaking = [leak for leak in leaks if leak.severity == "critical"]
    if stopped or leaking:
        raise _refusal(dataset, checked, stopped, leaking, report)
    return report


def _refusal(
    dataset: DatasetRef,
    checked: Sequence[CheckedExpectation],
    stopped: Sequence[CheckedExpectation],
    leaking: Sequence[Leak],
    report: Report,
) -> DataRefused:
    said, hint = [], ""
    if stopped:
        said.append(f"{len(stopped)} of {len(checked)} expectations failed")
    if leaking:
        said.append(f"{len(leaking)} leak{'s' * (len(leaking) != 1)} would flatter every model")
        hint = (
            "Take what leaks out of the features or the rows; a feature that is right as it is can be "
            "named in validation.leakage.ignore.\n"
        )
    lines = "\n".join(f"  - {item}" for item in [*stopped, *leaking])
    return DataRefused(
        f"{' and '.join(said)}, on {dataset.rows} rows in {dataset.window}; "
        f"nothing was trained, the champion goes on serving:\n{lines}\n{hint}Sample rows: {report.uri}"
    )


def expectations_of(config: ModelConfig) -> list[Expectation]:
    """The YAML's expectations as values."""
    return [
        Expectation(type=item.type, kwargs=dict(item.kwargs), severity=item.severity)
        for item in config.validation.expectations
    ]


def at_fault(item: CheckedExpectation, severity: str) -> bool:
    """Did not hold, or could not be computed, and is of this severity."""
    return item.expectation.severity == severity and (not item.success or item.error is not None)


def keep_report(
    config: ModelConfig,
    run: RunInfo,
    kind: str,
    frame: pd.DataFrame,
    checked: Sequence[CheckedExpectation],
    backends: Backends,
    leaks: Sequence[Leak] = (),
) -> Report:
    """Write the page of a check and sum it up: counts and names, no raw values."""
    failed = [item for item in checked if not item.success or item.error is not None]
    rows = [(item.expectation.severity, "held" if item.success else "failed", str(item)) for item in checked]
    body = page(
        f"{config.model}: {kind.replace('_', ' ')}",
        sentences(f"{len(checked) - len(failed)} of {len(checked)} expectations held, {len(frame)} rows."),
        table("Expectations", ("severity", "outcome", "what"), rows),
        table("Leakage", ("severity", "what"), [(leak.severity, leak.what) for leak in leaks]),
        *(_samples(item, frame) for item in failed),
        *(_rows_of(leak) for leak in leaks),
    )
    uri = backends.store.put(report_key(run, kind), body)
    summary: dict[str, Any] = {
        "success": not any(at_fault(item, "critical") for item in checked)
        and not any(leak.severity == "critical" for leak in leaks),
        "expectations": len(checked),
        "rows": len(frame),
        "failed": [{"severity": item.expectation.severity, "expectation": str(item)} for item in failed],
        "leakage": [{"severity": leak.severity, "leak": leak.what} for leak in leaks],
    }
    return Report(kind=kind, uri=uri, summary=summary)


def _rows_of(leak: Leak) -> str:
    if leak.rows is None:
        return ""
    return table(
        f"Rows at fault: {leak.what}",
        [str(name) for name in leak.rows.columns],
        leak.rows.to_numpy().tolist(),
    )


def _samples(item: CheckedExpectation, frame: pd.DataFrame) -> str:
    """Up to ten rows at fault, where the expectation is about one column's nulls or bounds."""
    column = item.expectation.kwargs.get("column")
    if column not in frame:
        return ""
    try:
        rows = _rows_at_fault(item.expectation, frame)
    except TypeError:  # bounds of another type than the column's, which is the fault that the page names
        return ""
    if rows is None or not len(rows):
        return ""
    return table(
        f"Rows at fault: {item.expectation.type} on {column}",
        [str(name) for name in rows.columns],
        rows.head(10).to_numpy().tolist(),
    )


def _rows_at_fault(expectation: Expectation, frame: pd.DataFrame) -> pd.DataFrame | None:
    kwargs = expectation.kwargs
    column = frame[kwargs["column"]]
    match expectation.type:
        case "expect_column_values_to_not_be_null":
            return frame[column.isna()]
        case "expect_column_values_to_be_between":
            low, high = kwargs.get("min_value"), kwargs.get("max_value")
            bad = column.isna() & False
            if low is not None:
                bad |= column < low
            if high is not None:
                bad |= column > high
            return frame[bad]
        case "expect_column_values_to_be_in_set":
            return frame[column.notna() & ~column.isin(list(kwargs.get("value_set", ())))]
        case "expect_column_values_to_be_unique":
            return frame[column.duplicated(keep=False)]
        case _:
            return None
