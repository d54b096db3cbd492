"""Answers of several classes. The inference log keeps the most probable class's number and no probabilities;
where these are needed, the version that answered is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.class_chances import as_if_sure, chances_of, joined_answers, with_chances
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import ColumnKind, ModelRef
from airflow_mlops.exceptions import DataRefused, ModelRefused, TrainingFailed
from airflow_mlops.steps.columns import as_numbers, typed
from airflow_mlops.steps.labels import Joined
from airflow_mlops.steps.promise import Promise

if TYPE_CHECKING:
    import pandas as pd


def with_classes(joined: Joined, promise: Promise, config: ModelConfig, backends: Backends) -> Joined:
    """Where there are several classes: labels as whole numbers, as answers are, and the probabilities of
    labelled answers, if the metric needs them and the model can be asked."""
    if config.task != "multiclass_classification" or not len(joined.labelled):
        return joined
    labels = as_numbers(joined.labelled["label"])
    if labels is None or (labels % 1 != 0).any() or (labels < 0).any():
        return joined
    labelled = joined.labelled.assign(label=labels.astype("int64"))
    if _needs_chances(config):
        try:
            chances = asked_again(promise.model, joined.file, joined.numbers(there=True), config, backends)
        except (ModelRefused, TrainingFailed, DataRefused):
            return replace(joined, labelled=labelled)
        labelled = with_chances(labelled, chances)
    return replace(joined, labelled=labelled)


def asked_again(model: ModelRef, file: Path, numbers: Any, config: ModelConfig, backends: Backends) -> Any:
    """The version's answers to logged rows, which are read piece by piece. Raises ``ModelRefused``,
    ``TrainingFailed`` or ``DataRefused`` where it cannot be asked."""
    from airflow_mlops.backends.kept_rows import names_in, pieces_at

    trusted = config.training.trusted_types
    loaded = backends.tracking.load(f"models:/{model.name}/{model.version}", trusted_types=trusted)
    # An older version may know features that the YAML has given up since.
    known: Mapping[str, ColumnKind] = getattr(loaded, "columns", {})
    features = {**known, **config.data.features}
    if missing := sorted(features.keys() - set(names_in(file))):
        raise DataRefused(f"the inference log has no {', '.join(missing)}")
    pieces = pieces_at(file, numbers, list(features))
    return joined_answers([loaded.predict(typed(piece, features)) for piece in pieces])


def answers_of(rows: pd.DataFrame, config: ModelConfig) -> Any:
    """Predictions as metrics take them: a column for each class where there are several. Raises
    ``DataRefused`` where the log's class does not say enough."""
    if config.task != "multiclass_classification":
        return rows["prediction"]
    if (chances := chances_of(rows)) is not None:
        return chances
    if _needs_chances(config):
        raise DataRefused("the log has no probabilities, and the model cannot be asked for them again")
    return as_if_sure(rows)


def _needs_chances(config: ModelConfig) -> bool:
    from airflow_mlops.backends.metric_forms import OF_CLASSES

    settings = config.monitor.performance
    spec = None if settings is None else config.evaluation.scoring.spec(settings.metric)
    return spec is None or spec.metric not in OF_CLASSES
