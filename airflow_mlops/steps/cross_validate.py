"""Cross-validate: train anew on folds of the training part, and see how much the metrics move."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.backends.splits import Fold, mean_of_folds, split_rows
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.folds import CrossValidation, FoldScore
from airflow_mlops.core.values import is_classification
from airflow_mlops.exceptions import DataRefused, TrainingFailed
from airflow_mlops.steps.page import sentences, table
from airflow_mlops.steps.requests import EvaluateRequest
from airflow_mlops.steps.train import fit, predictions_of, trained_with

if TYPE_CHECKING:
    import pandas as pd

CROSS_VALIDATION_FILE = "cross_validation.json"


def cross_validate(request: EvaluateRequest, backends: Backends) -> CrossValidation | None:
    """Score a model of each fold and keep all with the training run; None where the YAML asks for none.

    The holdout is not touched. A fold that cannot be trained or scored (one class only) has a problem
    instead of numbers. Raises ``DataRefused`` where the rows cannot be split as the YAML asks.
    """
    config, asked = request.config, request.config.evaluation.cross_validation
    if asked is None:
        return None
    data, folds = config.data, asked.plan
    rows = backends.datasets.load(request.snapshot.dataset, "train")
    made = split_rows(
        rows,
        folds,
        time_column=data.time_column,
        label=data.label,
        group=data.group,
        classes=is_classification(config.task),
        seed=config.training.seed,
    )
    params = trained_with(backends.tracking.tags_of(request.training.run_id), config)
    scores = tuple(_score(config, params, rows, fold, backends) for fold in made)
    confidence = config.evaluation.confidence
    found = CrossValidation(folds.kind, confidence, scores, mean_of_folds(scores, confidence))
    _keep(request, found, backends)
    return found


def cross_validation_part(found: CrossValidation | None) -> str:
    """For the evaluation's page: the means, and every fold. Nothing where there was none."""
    if found is None:
        return ""
    names = list(found.means)
    scored = sum(fold.problem is None for fold in found.folds)
    rows = [("mean", "", "", *found.means.values())]
    rows += [
        (
            fold.name,
            fold.training_rows,
            fold.test_rows,
            *(fold.metrics.get(name, fold.problem or "") for name in names or [""]),
        )
        for fold in found.folds
    ]
    header = ("fold", "trained on", "judged by", *(names or ["problem"]))
    return table(f"Cross-validation ({found.kind})", header, rows) + sentences(
        f"{scored} of {len(found.folds)} folds of the training part could be scored. The mean's interval, at "
        f"{found.confidence:.0%}, is for the training of another such model (Nadeau and Bengio, 2003)."
    )


def _score(
    config: ModelConfig, params: Mapping[str, Any], rows: pd.DataFrame, fold: Fold, backends: Backends
) -> FoldScore:
    train, test = rows.iloc[fold.train], rows.iloc[fold.test]
    features, label, evaluation = list(config.data.features), config.data.label, config.evaluation
    try:
        estimator = fit(config, train[features], train[label], backends, params)
        answers = predictions_of(estimator, test[features], config.task, of="rows it was not trained on")
        scored = backends.metrics(config.task, evaluation.scoring).score(
            evaluation.names,
            test[label],
            answers,
            evaluation.confidence,
            beside=Beside.of(test, config.data.group),
        )
    except (DataRefused, TrainingFailed) as error:
        return FoldScore(fold.name, len(train), len(test), problem=str(error))
    return FoldScore(fold.name, len(train), len(test), metrics=scored)


def _keep(request: EvaluateRequest, found: CrossValidation, backends: Backends) -> None:
    run_id, tracking = request.training.run_id, backends.tracking
    tracking.log_metrics(run_id, {f"cv_{name}": mean.value for name, mean in found.means.items()})
    kept = TypeAdapter(CrossValidation).dump_python(found, mode="json")
    tracking.log_file(run_id, CROSS_VALIDATION_FILE, json.dumps(kept, indent=1).encode())
