"""Evaluate: challenger and champion on the same holdout rows, which neither was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import DatasetRef, Estimate, Evaluation, ModelRef, Report
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import EvaluateRequest

if TYPE_CHECKING:
    import pandas as pd

EVALUATION_FILE = "evaluation.json"
SMOKE_FILE = "smoke.json"
SMOKE_ROWS = 20


def evaluate(request: EvaluateRequest, backends: Backends) -> Evaluation:
    """Score the challenger on the newest slice and, where there is a champion, both on the same rows.

    A backfill is not compared: the champion may have been trained on its holdout. Also kept with the
    run: a few holdout rows with the challenger's answers, which the smoke test asks the server for again.
    """
    config, run, dataset = request.config, request.run, request.snapshot.dataset
    rows = backends.datasets.load(dataset, "holdout")
    features, label = rows[list(config.data.features)], rows[config.data.label]
    trusted = config.training.trusted_types
    answers = backends.tracking.load(request.training.model_uri, trusted_types=trusted).predict(features)
    names, confidence = config.evaluation.metrics, config.evaluation.confidence
    challenger = backends.metrics(config.task).score(names, label, answers, confidence)
    comparison = _Comparison()
    if run.kind != "backfill":
        comparison = _compared(request, features, label, answers, backends)
    evaluation = Evaluation(
        rows=len(rows),
        confidence=confidence,
        challenger=challenger,
        champion=comparison.champion,
        champion_metrics=comparison.metrics,
        difference=comparison.difference,
        champion_problem=comparison.problem,
    )
    _keep(request, evaluation, features, answers, backends)
    return _with_report(request, evaluation, backends)


@dataclass(frozen=True, slots=True)
class _Comparison:
    champion: ModelRef | None = None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    difference: Mapping[str, Estimate] = field(default_factory=dict)
    problem: str | None = None


def _compared(
    request: EvaluateRequest, features: pd.DataFrame, label: pd.Series, answers: Any, backends: Backends
) -> _Comparison:
    """What is wrong with the champion (it cannot be loaded, or its answers cannot be scored) is a finding
    about it, which the gates weigh; it does not stop the challenger's evaluation."""
    config, tracking = request.config, backends.tracking
    names, confidence = config.evaluation.metrics, config.evaluation.confidence
    champion = tracking.alias(config.model, "champion")
    if champion is None:
        return _Comparison()
    seen = _champion_has_seen(tracking.tags_of(tracking.run_of(champion).run_id), request.snapshot.dataset)
    if seen is not None:
        return _Comparison(champion, problem=seen)
    try:
        model = tracking.load(
            f"models:/{champion.name}/{champion.version}", trusted_types=config.training.trusted_types
        )
        theirs = model.predict(features)
        metrics = backends.metrics(config.task)
        return _Comparison(
            champion,
            metrics=metrics.score(names, label, theirs, confidence),
            difference=metrics.difference(names, label, answers, theirs, confidence),
        )
    except (ModelRefused, DataRefused, TrainingFailed) as error:
        return _Comparison(champion, problem=str(error))


def _champion_has_seen(tags: dict[str, str], dataset: DatasetRef) -> str | None:
    """Why the comparison would flatter the champion, or None."""
    trained_until = tags.get("mlops.holdout_start")
    if trained_until is None or datetime.fromisoformat(trained_until) <= dataset.holdout_start:
        return None
    return (
        f"it was trained on rows until {trained_until}, and this holdout starts "
        f"{dataset.holdout_start.isoformat()}"
    )


def _keep(
    request: EvaluateRequest, evaluation: Evaluation, features: pd.DataFrame, answers: Any, backends: Backends
) -> None:
    run_id, tracking = request.training.run_id, backends.tracking
    numbers = {f"holdout_{name}": estimate.value for name, estimate in evaluation.challenger.items()}
    tracking.log_metrics(run_id, {**numbers, "holdout_rows": float(evaluation.rows)})
    # Pydantic's own JSON has null for a metric that is no finite number, and could not be read again.
    kept = TypeAdapter(Evaluation).dump_python(evaluation, mode="json")
    tracking.log_file(run_id, EVALUATION_FILE, json.dumps(kept, indent=1).encode())
    sample = features.head(SMOKE_ROWS).to_dict(orient="records")
    smoke = {
        "rows": [{name: _plain(value) for name, value in row.items()} for row in sample],
        "predictions": answers[: len(sample)].tolist(),
    }
    tracking.log_file(run_id, SMOKE_FILE, json.dumps(smoke).encode())


def _plain(value: Any) -> Any:
    """A feature as JSON has it, to the last digit; what is missing, or no number, is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_report(request: EvaluateRequest, evaluation: Evaluation, backends: Backends) -> Evaluation:
    config, dataset = request.config, request.snapshot.dataset
    against = "there is no champion yet"
    if evaluation.champion is not None:
        against = f"against {evaluation.champion}"
        if evaluation.champion_problem is not None:
            against += f", which could not be compared: {evaluation.champion_problem}"
    rows = [
        (
            name,
            estimate,
            evaluation.champion_metrics.get(name, ""),
            evaluation.difference.get(name, ""),
        )
        for name, estimate in evaluation.challenger.items()
    ]
    body = page(
        f"{config.model}: evaluation",
        sentences(
            f"{evaluation.rows} holdout rows from {dataset.holdout_start.isoformat()} to "
            f"{dataset.window.end.isoformat()}; {against}.",
            f"Intervals at {evaluation.confidence:.0%}.",
        ),
        table("Metrics", ("metric", "challenger", "champion", "challenger minus champion"), rows),
    )
    uri = backends.store.put(report_key(request.run, "evaluation"), body)
    summary = {name: estimate.value for name, estimate in evaluation.challenger.items()}
    return replace(evaluation, report=Report(kind="evaluation", uri=uri, summary=summary))
