"""Train: fit a model on the snapshot's training part and log it whole."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends, Trainer
from airflow_mlops.backends.material import ANSWERS_FILE, WARNINGS_FILE
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import RunRef, TaskKind, is_classification
from airflow_mlops.exceptions import TrainingFailed
from airflow_mlops.steps.made import made_tags, made_today
from airflow_mlops.steps.requests import TrainRequest, Tuned
from airflow_mlops.steps.seen import holdout_tags

if TYPE_CHECKING:
    import pandas as pd

KEPT_ROWS = 200
"""Training rows, spread over all of them, whose answers are kept to hold the saved model to."""


def train(request: TrainRequest, backends: Backends) -> RunRef:
    """Fit on the rows that are not held out and log the model with data, code and config version. The code's
    version is the DAG bundle's (a commit) where it has one, else the hash of the training code.

    What a search chose stands in for ``training.params`` of the same names.
    Raises ``TrainingFailed`` where the training code raises or what it returns cannot predict. A retry
    finds the run that an earlier try finished.
    """
    config, run, dataset = request.config, request.run, request.snapshot.dataset
    rows = backends.datasets.load(dataset, "train")
    features = rows[list(config.data.features)]
    params = {**config.training.params, **(request.tuned.params if request.tuned else {})}
    estimator, raised = _fit_and_listen(config, features, rows[config.data.label], backends, params)
    kept = features.iloc[:: max(len(features) // KEPT_ROWS, 1)].head(KEPT_ROWS)
    answers = {"rows": _plain(kept), "answers": predictions_of(estimator, kept, config.task)}
    key = run.key
    return backends.tracking.log_training(
        experiment=config.model,
        run_name=f"{config.model} as of {dataset.window.end.date().isoformat()}",
        run_key=f"{key.dag_id}|{key.run_id}|{key.map_index}",
        estimator=estimator,
        input_example=features.head(5),
        task=config.task,
        params={**params, "seed": config.training.seed},
        tags={
            "mlops.model": config.model,
            "mlops.kind": "backfill" if run.kind == "backfill" else "challenger",
            "mlops.window": str(dataset.window),
            "mlops.window_end": dataset.window.end.isoformat(),
            **holdout_tags(config.data, dataset),
            "mlops.causes": "; ".join(request.snapshot.causes)[:4_000],
            "mlops.cause": ", ".join(request.snapshot.kinds),
            "mlops.config_digest": run.config_digest or "",
            "mlops.code_version": run.code_version or trainer_of(config, backends).code_version(),
            **made_tags(made_today(config, backends)),
            **_tuning_tags(request.tuned),
        },
        dataset_uri=dataset.uri,
        dataset_version=dataset.version,
        trusted_types=config.training.trusted_types,
        texts=config.data.texts,
        files={
            ANSWERS_FILE: json.dumps(answers).encode(),
            WARNINGS_FILE: json.dumps(raised, indent=1).encode(),
        },
    )


def _fit_and_listen(
    config: ModelConfig,
    features: pd.DataFrame,
    label: pd.Series,
    backends: Backends,
    params: Mapping[str, Any],
) -> tuple[Any, list[str]]:
    """The estimator, and what its training warned of not having converged. All warnings are shown as ever.

    Those of other processes (``n_jobs``) are not heard here.
    """
    with warnings.catch_warnings(record=True) as raised:
        estimator = fit(config, features, label, backends, params)
    for one in raised:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    # scikit-learn's class by its name: heavy libraries are imported in the backends alone.
    heard = [str(one.message) for one in raised if one.category.__name__ == "ConvergenceWarning"]
    return estimator, list(dict.fromkeys(heard))


def _plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them. Python's own reads NaN and Infinity too: a number comes back as it was."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]


def fit(
    config: ModelConfig,
    features: pd.DataFrame,
    label: pd.Series,
    backends: Backends,
    params: Mapping[str, Any] | None = None,
) -> Any:
    """The estimator that the YAML's training section makes of these rows; with other ``params`` than its own
    where they are given."""
    trainer = trainer_of(config, backends)
    used = config.training.params if params is None else params
    return trainer.fit(features, label, used, config.training.seed, texts=config.data.texts)


def trained_with(tags: Mapping[str, str], config: ModelConfig) -> dict[str, Any]:
    """The params of a training run by its tags: the YAML's, overlaid by those that a search chose."""
    return {**config.training.params, **json.loads(tags.get("mlops.tuned_params", "{}"))}


def _tuning_tags(tuned: Tuned | None) -> dict[str, str]:
    """Which of the params a search chose, and which search: MLflow shows the params themselves as such."""
    if tuned is None:
        return {}
    return {
        "mlops.tuned_params": json.dumps(dict(tuned.params), sort_keys=True),
        "mlops.tuned_metric": f"{tuned.metric} {tuned.value:.6g}",
        "mlops.tuned_by": tuned.searched_by,
        "mlops.tuning_run": tuned.search.run_id if tuned.search else "",
    }


def trainer_of(config: ModelConfig, backends: Backends) -> Trainer:
    """What the YAML's training section names."""
    training = config.training
    if training.callable is not None:
        return backends.trainer("callable", training.callable)
    return backends.trainer("estimator", str(training.estimator))


def predictions_of(
    estimator: Any, features: pd.DataFrame, task: TaskKind, of: str = "its own training rows"
) -> list[Any]:
    """The estimator's answers, one finite number (or one list of them) a row. ``of``: which rows these are.

    Raises ``TrainingFailed`` that says what the estimator lacks or gave instead.
    """
    name = type(estimator).__name__
    wanted = "predict_proba" if is_classification(task) else "predict"
    if not hasattr(estimator, wanted):
        raise TrainingFailed(f"training returned {name}, which has no {wanted}(); a {task} model needs it")
    try:
        answers = getattr(estimator, wanted)(features)
        listed: list[Any] = (answers[:, 1] if task == "binary_classification" else answers).tolist()
    except Exception as error:  # the user's estimator may raise anything, or answer anything
        raise TrainingFailed(
            f"the trained {name} cannot predict {of}: {wanted}() raised or answered "
            f"something else than an array: {raised(error)}"
        ) from error
    flat = [number for row in listed for number in (row if isinstance(row, list) else [row])]
    if len(listed) != len(features) or not all(math.isfinite(number) for number in flat):
        raise TrainingFailed(
            f"the trained {name} answered {len(listed)} values for {len(features)} rows, "
            "or values that are not finite numbers"
        )
    return listed
