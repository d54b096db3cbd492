"""Evaluate: challenger and champion on the same holdout rows, which neither was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.core.values import Estimate, Evaluation, Importance, ModelRef
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.champion_scores import keep_scores
from airflow_mlops.steps.cross_validate import cross_validate
from airflow_mlops.steps.evaluation_report import keep_report
from airflow_mlops.steps.measure import findings, importance, material_of
from airflow_mlops.steps.requests import EvaluateRequest
from airflow_mlops.steps.run_files import EVALUATION_FILE, IMPORTANCE_FILE, PREDICTIONS_FILE, SMOKE_FILE
from airflow_mlops.steps.seen import champion_has_seen

if TYPE_CHECKING:
    import pandas as pd

SMOKE_ROWS = 20


def evaluate(request: EvaluateRequest, backends: Backends) -> Evaluation:
    """Score the challenger on the holdout and, where there is a champion, both on the same rows; then
    measure what the gates ask for beyond that.

    A backfill is not compared: the champion may have been trained on its holdout. Kept with the run: all
    numbers, the answers of both row by row, and a few rows with the challenger's answers, which the smoke
    test asks the server for again.
    """
    config, run, dataset = request.config, request.run, request.snapshot.dataset
    rows = backends.datasets.load(dataset, "holdout")
    features, label = rows[list(config.data.features)], rows[config.data.label]
    model = backends.tracking.load(request.training.model_uri, trusted_types=config.training.trusted_types)
    answers = model.predict(features)
    names, confidence = config.evaluation.names, config.evaluation.confidence
    metrics = backends.metrics(config.task, config.evaluation.scoring)
    beside = Beside.of(rows, config.data.group)
    challenger = metrics.score(names, label, answers, confidence, beside=beside)
    comparison = Comparison()
    if run.kind != "backfill":
        comparison = _compared(request, rows, answers, backends)
    folds = cross_validate(request, backends)
    material = material_of(
        request,
        backends,
        holdout=rows,
        model=model,
        answers=answers,
        champion=comparison.model,
        champion_answers=comparison.answers,
        cross_validation=folds,
    )
    evaluation = Evaluation(
        rows=len(rows),
        confidence=confidence,
        challenger=challenger,
        champion=comparison.champion,
        champion_metrics=comparison.metrics,
        difference=comparison.difference,
        champion_problem=comparison.problem,
        champion_incompatible=comparison.incompatible,
        findings=findings(config, material, backends),
    )
    leans_on = importance(config, material, backends)
    kept = json.dumps(TypeAdapter(tuple[Importance, ...]).dump_python(leans_on, mode="json"))
    backends.tracking.log_file(request.training.run_id, IMPORTANCE_FILE, kept.encode())
    _keep(request, evaluation, rows, answers, comparison, backends)
    keep_scores(request.training.run_id, config, rows, answers, backends)
    report = keep_report(request, evaluation, leans_on, folds, backends)
    return replace(evaluation.in_short(), report=report)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of holding the challenger against the champion."""

    champion: ModelRef | None = None
    model: LoadedModel | None = None
    answers: Any = None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    difference: Mapping[str, Estimate] = field(default_factory=dict)
    problem: str | None = None
    incompatible: bool = False


def _compared(request: EvaluateRequest, rows: pd.DataFrame, answers: Any, backends: Backends) -> Comparison:
    """What is wrong with the champion (it cannot be loaded, or its answers cannot be scored) is a finding
    about it, which the gates weigh; it does not stop the challenger's evaluation."""
    config, tracking = request.config, backends.tracking
    names, confidence = config.evaluation.names, config.evaluation.confidence
    label, beside = rows[config.data.label], Beside.of(rows, config.data.group)
    champion = tracking.alias(config.model, "champion")
    if champion is None:
        return Comparison()
    tags = tracking.tags_of(tracking.run_of(champion).run_id)
    seen = champion_has_seen(tags, config, request.snapshot.dataset, rows, backends)
    if seen is not None:
        return Comparison(champion, problem=seen)
    try:
        model = tracking.load(
            f"models:/{champion.name}/{champion.version}", trusted_types=config.training.trusted_types
        )
        theirs = model.predict(rows[list(config.data.features)])
        metrics = backends.metrics(config.task, config.evaluation.scoring)
        return Comparison(
            champion,
            model=model,
            answers=theirs,
            metrics=metrics.score(names, label, theirs, confidence, beside=beside),
            difference=metrics.difference(names, label, answers, theirs, confidence, beside=beside),
        )
    except (ModelRefused, DataRefused, TrainingFailed) as error:
        return Comparison(champion, problem=str(error), incompatible=True)


def _keep(
    request: EvaluateRequest,
    evaluation: Evaluation,
    rows: pd.DataFrame,
    answers: Any,
    comparison: Comparison,
    backends: Backends,
) -> None:
    run_id, tracking = request.training.run_id, backends.tracking
    numbers = {f"holdout_{name}": estimate.value for name, estimate in evaluation.challenger.items()}
    tracking.log_metrics(run_id, {**numbers, "holdout_rows": float(evaluation.rows)})
    # Pydantic's own JSON has null for a metric that is no finite number, and could not be read again.
    kept = TypeAdapter(Evaluation).dump_python(evaluation, mode="json")
    tracking.log_file(run_id, EVALUATION_FILE, json.dumps(kept, indent=1).encode())
    tracking.log_file(run_id, PREDICTIONS_FILE, _predictions(request, rows, answers, comparison.answers))
    features = rows[list(request.config.data.features)]
    sample = features.head(SMOKE_ROWS).to_dict(orient="records")
    smoke = {
        "rows": [{name: _plain(value) for name, value in row.items()} for row in sample],
        "predictions": answers[: len(sample)].tolist(),
    }
    tracking.log_file(run_id, SMOKE_FILE, json.dumps(smoke).encode())


def _predictions(request: EvaluateRequest, rows: pd.DataFrame, ours: Any, theirs: Any) -> bytes:
    """Parquet: key, time and label of each holdout row, the challenger's answer, and the champion's; of
    several classes one column each (``challenger_0``...)."""
    data = request.config.data
    frame = rows[[data.key, data.time_column, data.label]]
    for role, answers in (("challenger", ours), ("champion", theirs)):
        if answers is None:
            continue
        if answers.ndim == 1:
            frame = frame.assign(**{role: answers})
        else:
            columns = {f"{role}_{index}": answers[:, index] for index in range(answers.shape[1])}
            frame = frame.assign(**columns)
    body: bytes = frame.to_parquet(index=False)
    return body


def _plain(value: Any) -> Any:
    """A feature as JSON has it, to the last digit; what is missing, or no number, is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
