"""Evaluate: challenger and champion on the same holdout rows, which neither was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import DatasetRef, Estimate, Evaluation, ModelRef, Report
from airflow_mlops.exceptions import ModelRefused
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
    metrics = backends.metrics(config.task)
    challenger = metrics.score(names, label, answers, confidence)
    comparison = _Comparison()
    if run.kind != "backfill":
        comparison = _champion_answers(request, features, backends)
    champion_metrics: dict[str, Estimate] = {}
    difference: dict[str, Estimate] = {}
    if comparison.answers is not None:
        champion_metrics = metrics.score(names, label, comparison.answers, confidence)
        difference = metrics.difference(names, label, answers, comparison.answers, confidence)
    evaluation = Evaluation(
        rows=len(rows),
        confidence=confidence,
        challenger=challenger,
        champion=comparison.champion,
        champion_metrics=champion_metrics,
        difference=difference,
        champion_problem=comparison.problem,
    )
    _keep(request, evaluation, features, answers, backends)
    return _with_report(request, evaluation, backends)


@dataclass(frozen=True, slots=True)
class _Comparison:
    champion: ModelRef | None = None
    answers: Any = None
    problem: str | None = None


def _champion_answers(request: EvaluateRequest, features: pd.DataFrame, backends: Backends) -> _Comparison:
    config, tracking = request.config, backends.tracking
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
        return _Comparison(champion, answers=model.predict(features))
    except ModelRefused as error:
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
    body = TypeAdapter(Evaluation).dump_json(evaluation, indent=1)
    tracking.log_file(run_id, EVALUATION_FILE, body)
    sample = features.head(SMOKE_ROWS)
    smoke = {
        "rows": json.loads(sample.to_json(orient="records", double_precision=15)),
        "predictions": answers[: len(sample)].tolist(),
    }
    tracking.log_file(run_id, SMOKE_FILE, json.dumps(smoke).encode())


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
