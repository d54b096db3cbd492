"""The page of an evaluation: metrics of both models, and what the gates measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.folds import CrossValidation
from airflow_mlops.core.values import Evaluation, Finding, Importance, Measurement, Report
from airflow_mlops.steps.cross_validate import cross_validation_part
from airflow_mlops.steps.figures import figure
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import EvaluateRequest


def keep_report(
    request: EvaluateRequest,
    evaluation: Evaluation,
    leans_on: Sequence[Importance],
    folds: CrossValidation | None,
    backends: Backends,
) -> Report:
    """Write the page and sum it up in the challenger's numbers."""
    config, dataset = request.config, request.snapshot.dataset
    body = page(
        f"{config.model}: evaluation",
        sentences(
            f"{evaluation.rows} holdout rows from {dataset.holdout_start.isoformat()} to "
            f"{dataset.window.end.isoformat()}; {_against(evaluation)}.",
            f"Held out: {config.data.holdout.in_words}.{_left_out(request)}",
            f"Intervals at {evaluation.confidence:.0%}.",
        ),
        table(
            "Metrics",
            ("metric", "challenger", "champion", "challenger minus champion"),
            [
                (
                    name,
                    estimate,
                    evaluation.champion_metrics.get(name, ""),
                    evaluation.difference.get(name, ""),
                )
                for name, estimate in evaluation.challenger.items()
            ],
        ),
        *(_finding(finding) for finding in evaluation.findings),
        cross_validation_part(folds),
        *_importance(leans_on),
    )
    uri = backends.store.put(report_key(request.run, "evaluation"), body)
    summary = {name: estimate.value for name, estimate in evaluation.challenger.items()}
    return Report(kind="evaluation", uri=uri, summary=summary)


def _left_out(request: EvaluateRequest) -> str:
    rows = request.snapshot.dataset.left_out_rows
    if not rows:
        return ""
    group = request.config.data.group
    return f" {rows} other rows were left out of training, for their {group} is in the holdout."


def _against(evaluation: Evaluation) -> str:
    if evaluation.champion is None:
        return "there is no champion yet"
    against = f"against {evaluation.champion}"
    if evaluation.champion_problem is not None:
        against += f", which could not be compared: {evaluation.champion_problem}"
    return against


def _finding(finding: Finding) -> str:
    title = finding.rule[:1].upper() + finding.rule[1:]
    if finding.problem is not None:
        return table(title, ("could not be measured",), [(finding.problem,)])
    said = ""
    if finding.verdict is not None:
        said = table(title, (finding.verdict.outcome,), [(reason,) for reason in finding.verdict.reasons])
        if not finding.measurements:
            return said
    return (
        said
        + _measurements(title, finding)
        + sentences(*finding.notes)
        + "".join(figure(drawn) for drawn in finding.figures)
    )


def _measurements(title: str, finding: Finding) -> str:
    """A table without the columns in which nothing stands."""
    unit = f" ({finding.unit})" if finding.unit else ""
    columns = {
        "what": [item.name for item in finding.measurements],
        f"measured{unit}": [item.shown for item in finding.measurements],
        "rows": ["" if item.rows is None else str(item.rows) for item in finding.measurements],
        "corrected p": [_p_value(item) for item in finding.measurements],
        "note": [item.note for item in finding.measurements],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    return table(title, tuple(shown), list(zip(*shown.values(), strict=True)))


def _p_value(item: Measurement) -> str:
    return "" if item.p_value is None else f"{item.p_value:.2g}"


def _importance(leans_on: Sequence[Importance]) -> Iterator[str]:
    for part in dict.fromkeys(item.part for item in leans_on):
        rows = [(item.feature, item.estimate) for item in leans_on if item.part == part]
        yield table("What it leans on" + (f", {part}" if part else ""), ("feature", "importance"), rows)
