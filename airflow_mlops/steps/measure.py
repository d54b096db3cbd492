"""What the gates beyond metrics ask for, measured once, while the rows and the models are at hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.material import Columns, Material
from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.gates_metric import ChampionGate, ThresholdGate
from airflow_mlops.core.folds import CrossValidation
from airflow_mlops.core.ledger import champion_at
from airflow_mlops.core.values import Finding, Importance, ModelRef
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.requests import EvaluateRequest
from airflow_mlops.steps.seen import champion_has_seen

if TYPE_CHECKING:
    import pandas as pd


def material_of(
    request: EvaluateRequest,
    backends: Backends,
    *,
    holdout: pd.DataFrame,
    model: LoadedModel,
    answers: Any,
    champion: LoadedModel | None,
    champion_answers: Any,
    cross_validation: CrossValidation | None,
) -> Material:
    """The evaluation's rows, answers and models, as measurements are handed them."""
    config = request.config
    data = config.data
    return Material(
        model_name=config.model,
        run_id=request.training.run_id,
        task=config.task,
        columns=Columns(data.features, data.label, data.key, data.time_column, data.group),
        confidence=config.evaluation.confidence,
        seed=config.training.seed,
        decision_threshold=config.evaluation.decision_threshold,
        holdout=holdout,
        answers=answers,
        model=model,
        model_uri=request.training.model_uri,
        trusted_types=config.training.trusted_types,
        metrics=backends.metrics(config.task, config.evaluation.scoring),
        tracking=backends.tracking,
        training=lambda: backends.datasets.load(request.snapshot.dataset, "train"),
        former=lambda moment: _former(request, moment, holdout, backends),
        champion=champion,
        champion_answers=champion_answers,
        cross_validation=cross_validation,
    )


def findings(config: ModelConfig, material: Material, backends: Backends) -> tuple[Finding, ...]:
    """One finding for each rule that is not about a metric of the evaluation. What cannot be measured is a
    finding, too: the gate is then inconclusive, and says why."""
    asked = zip(config.gates.rules, config.gates.labels, strict=True)
    return tuple(
        replace(_found(rule.type, rule.model_dump(mode="json"), material, backends), rule=label)
        for rule, label in asked
        if not isinstance(rule, (ThresholdGate, ChampionGate))
    )


def importance(config: ModelConfig, material: Material, backends: Backends) -> tuple[Importance, ...]:
    """How much the model leans on each feature; nothing where it is not asked for, or cannot be said on the
    holdout's rows (one class only among those drawn)."""
    asked = config.evaluation.importance
    if asked.method == "none":
        return ()
    settings = {**asked.model_dump(), "metric": asked.metric or config.evaluation.names[0]}
    try:
        return backends.explainer(asked.method)(settings, material)
    except DataRefused:
        return ()


def _found(type_: str, settings: dict[str, Any], material: Material, backends: Backends) -> Finding:
    try:
        return backends.gate_measure(type_)(settings, material)
    except (DataRefused, ModelRefused, TrainingFailed) as error:
        return Finding("", problem=str(error))


def _former(
    request: EvaluateRequest, moment: datetime, holdout: pd.DataFrame, backends: Backends
) -> LoadedModel | None:
    """Raises ``ModelRefused`` where it was trained on rows of this holdout, which would flatter it."""
    config, tracking, dataset = request.config, backends.tracking, request.snapshot.dataset
    reign = champion_at(backends.ledger.entries(config.model), moment)
    if reign is None or reign.version is None:
        return None
    model = ModelRef(config.model, reign.version)
    tags = tracking.tags_of(tracking.run_of(model).run_id)
    seen = champion_has_seen(tags, config, dataset, holdout, backends)
    if seen is not None:
        raise ModelRefused(f"{model} knows this holdout: {seen}; give the baseline a longer age")
    return tracking.load(f"models:/{model.name}/{model.version}", trusted_types=config.training.trusted_types)
