"""What a window's metric probably is before its labels land, or in one line why nobody can say."""

from __future__ import annotations

from typing import Any, Literal

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.class_chances import chances_of
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.metrics import MetricSpec
from airflow_mlops.core.values import Estimate, TaskKind
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.answered_classes import asked_again
from airflow_mlops.steps.champion_scores import LABEL, kept_scores
from airflow_mlops.steps.labels import Joined
from airflow_mlops.steps.promise import Promise

Method = Literal["CBPE", "DLE"]


def method_of(task: TaskKind) -> Method:
    """Confidence-based performance estimation of classes, direct loss estimation of numbers."""
    return "DLE" if task in ("regression", "forecasting") else "CBPE"


def estimated(
    config: ModelConfig, joined: Joined, promise: Promise, notes: list[str], backends: Backends
) -> Estimate | None:
    """Of all answers of the window, labelled or not; where there is no estimate, ``notes`` gets why."""
    settings = config.monitor.performance
    if settings is None or not settings.estimate:
        return None
    spec = config.evaluation.scoring.spec(settings.metric)
    try:
        if spec is None or not len(joined.answers):
            raise DataRefused("there are no answers")
        match config.task:
            case "binary_classification":
                return _of_two(config, spec, joined, promise)
            case "multiclass_classification":
                return _of_classes(config, spec, joined, promise, backends)
            case "regression" | "forecasting":
                return _of_numbers(config, spec, joined, promise, backends)
            case "ranking":
                raise DataRefused("a ranking's answers say nothing about their own errors")
    except (DataRefused, ModelRefused, TrainingFailed) as error:
        notes.append(f"no estimate without labels: {error}")
        return None


def _of_two(config: ModelConfig, spec: MetricSpec, joined: Joined, promise: Promise) -> Estimate:
    from airflow_mlops.backends.performance_estimate import estimate

    holdout = _held_out(promise)
    return estimate(
        spec,
        joined.answers["prediction"],
        holdout["label"],
        holdout["prediction"],
        threshold=config.evaluation.scoring.decision_threshold,
        confidence=config.evaluation.confidence,
    )


def _of_classes(
    config: ModelConfig, spec: MetricSpec, joined: Joined, promise: Promise, backends: Backends
) -> Estimate:
    from airflow_mlops.backends.estimate_interval import ROWS
    from airflow_mlops.backends.kept_rows import sample_of
    from airflow_mlops.backends.performance_estimate_classes import estimate_of_classes

    holdout = _held_out(promise)
    some = sample_of(joined.answers.index, ROWS)
    return estimate_of_classes(
        spec,
        asked_again(promise.model, joined.file, some, config, backends),
        holdout["label"],
        chances_of(holdout),
        confidence=config.evaluation.confidence,
        answered=len(joined.answers),
    )


def _of_numbers(
    config: ModelConfig, spec: MetricSpec, joined: Joined, promise: Promise, backends: Backends
) -> Estimate:
    from airflow_mlops.backends.estimate_interval import ROWS
    from airflow_mlops.backends.kept_rows import names_in, rows_at, sample_of
    from airflow_mlops.backends.performance_estimate_loss import ANSWER, estimate_of_losses

    kept = kept_scores(promise.model, config, backends)
    if kept is None or LABEL not in kept.sample:
        raise DataRefused("the champion's run keeps no rows of its holdout to learn its losses from")
    features, there = config.data.features, names_in(joined.file)
    shared = {name: features[name] for name in kept.features if name in features and name in there}
    return estimate_of_losses(
        spec,
        rows_at(joined.file, sample_of(joined.answers.index, ROWS), [*shared, ANSWER]),
        kept.sample.rename(columns={LABEL: "label"}),
        shared,
        confidence=config.evaluation.confidence,
        answered=len(joined.answers),
    )


def _held_out(promise: Promise) -> Any:
    if promise.holdout is None:
        raise DataRefused("no holdout to calibrate by is kept with the champion's run")
    return promise.holdout
