"""Validate: hold the snapshot against the expectations, look for leakage and for a feed that broke, before
anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlops.backends.base import Backends, CheckedFile, ShownRows
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.faults import Fault
from airflow_mlops.core.values import (
    CheckedExpectation,
    CheckOutcome,
    DatasetRef,
    Expectation,
    Report,
    RunInfo,
)
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.good_snapshots import note_good
from airflow_mlops.steps.leakage import Leak, leaks_of
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest
from airflow_mlops.steps.upstream_faults import Compared, critical_faults, faults_in_snapshot, on_page


def validate(request: DatasetRequest, backends: Backends) -> Report:
    """See ``check_snapshot``. What passes is noted, where runs may fall back on it."""
    config, run = request.config, request.run
    report = check_snapshot(request, backends)
    if config.healing.enabled and config.healing.fall_back and run.kind != "backfill":
        note_good(config, run, request.snapshot.dataset, backends)
    return report


def check_snapshot(request: DatasetRequest, backends: Backends, kind: str = "validation") -> Report:
    """Check every expectation, look for leakage, and for upstream faults in the rows that the champion does
    not know. Raises ``DataRefused`` that lists what is critical with its counts; sample rows go to the report
    only, never to the log or XCom.
    """
    config, dataset = request.config, request.snapshot.dataset
    checked = backends.file_checker().check_file(
        backends.datasets.proven_file(dataset), expectations_of(config)
    )
    leaks = leaks_of(config, dataset, backends)
    compared = None
    if config.validation.upstream_faults.enabled and request.run.kind != "backfill":
        compared = faults_in_snapshot(config, dataset, backends)
    report = keep_report(config, request.run, kind, checked, backends, leaks, compared)
    stopped = [item for item in checked.expectations if at_fault(item, "critical")]
    leaking = [leak for leak in leaks if leak.severity == "critical"]
    broken = critical_faults(config, compared)
    if stopped or leaking or broken:
        raise _refusal(dataset, len(checked.expectations), stopped, leaking, broken, report)
    return report


def _refusal(
    dataset: DatasetRef,
    expectations: int,
    stopped: Sequence[CheckedExpectation],
    leaking: Sequence[Leak],
    broken: Sequence[Fault],
    report: Report,
) -> DataRefused:
    said, hint = [], ""
    if failed := sum(item.outcome == "failed" for item in stopped):
        said.append(f"{failed} of {expectations} expectations failed")
    if errored := len(stopped) - failed:
        said.append(f"{errored} of {expectations} expectations could not be computed")
    if leaking:
        said.append(f"{len(leaking)} leak{'s' * (len(leaking) != 1)} would flatter every model")
        hint += (
            "Take what leaks out of the features or the rows; a feature that is right as it is can be "
            "named in validation.leakage.ignore.\n"
        )
    if broken:
        columns = dict.fromkeys(column for fault in broken for column in fault.columns)
        said.append(f"the feed of {', '.join(columns)} is broken")
        hint += (
            "Mend the feed and clear the run from its snapshot. Where the world has changed and the rows are "
            "right, name the column in validation.upstream_faults.ignore.\n"
        )
    lines = "\n".join(f"  - {item}" for item in [*stopped, *leaking, *broken])
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
    checked: CheckedFile,
    backends: Backends,
    leaks: Sequence[Leak] = (),
    compared: Compared | None = None,
    facts: Sequence[str] = (),
) -> Report:
    """Write the page of a check and sum it up: counts and names, no raw values. ``facts`` are sentences of
    their own."""
    items = checked.expectations
    held = sum(item.outcome == "held" for item in items)
    rows = [(item.expectation.severity, item.outcome, item.on_a_page) for item in items]
    body = page(
        f"{config.model}: {kind.replace('_', ' ')}",
        sentences(f"{held} of {len(items)} expectations held, {checked.rows} rows.", *facts),
        table("Expectations", ("severity", "outcome", "what"), rows),
        table("Leakage", ("severity", "what"), [(leak.severity, leak.what) for leak in leaks]),
        on_page(config, compared),
        *(_samples(items[place], shown) for place, shown in checked.at_fault.items()),
        *(_rows_of(leak) for leak in leaks),
    )
    uri = backends.store.put(report_key(run, kind), body)
    summary: dict[str, Any] = {
        "success": not any(at_fault(item, "critical") for item in items)
        and not any(leak.severity == "critical" for leak in leaks)
        and not critical_faults(config, compared),
        "expectations": len(items),
        "rows": checked.rows,
        "failed": _told(items, "failed"),
        "errored": _told(items, "errored"),
        "sampled": sum(item.sampled_from is not None for item in items),
        "leakage": [{"severity": leak.severity, "leak": leak.what} for leak in leaks],
        **(compared.summary if compared is not None else {"faults": []}),
    }
    return Report(kind=kind, uri=uri, summary=summary)


def _told(items: Sequence[CheckedExpectation], outcome: CheckOutcome) -> list[dict[str, str]]:
    return [
        {"severity": item.expectation.severity, "expectation": str(item)}
        for item in items
        if item.outcome == outcome
    ]


def _rows_of(leak: Leak) -> str:
    if leak.rows is None:
        return ""
    return table(
        f"Rows at fault: {leak.what}",
        [str(name) for name in leak.rows.columns],
        leak.rows.to_numpy().tolist(),
    )


def _samples(item: CheckedExpectation, shown: ShownRows) -> str:
    kwargs = item.expectation.kwargs
    columns = kwargs.get("column_list") or [kwargs.get(name) for name in ("column", "column_A", "column_B")]
    return table(
        f"Rows at fault: {item.expectation.type} on {', '.join(str(one) for one in columns if one)}",
        shown.columns,
        shown.rows,
    )
