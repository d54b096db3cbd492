"""Preflight: a run in small before the real one spends time (level 2 and up)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.values import Report
from airflow_mlops.exceptions import TrainingFailed
from airflow_mlops.steps.page import page, sentences
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest
from airflow_mlops.steps.train import fit, predictions_of

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 2_000
ROWS_OF_EACH_CLASS = 20


def preflight(request: DatasetRequest, backends: Backends) -> Report:
    """Train on the newest ``SAMPLE_ROWS`` rows, save, load and predict again: the loaded model must
    answer as the trained one did (training-serving skew). Raises ``TrainingFailed`` or ``ModelRefused``.
    """
    config, data = request.config, request.config.data
    rows = _sample(backends.datasets.load(request.snapshot.dataset, "train"), config)
    features = rows[list(data.features)]
    estimator = fit(config, features, rows[data.label], backends)
    trained = predictions_of(estimator, features.head(200), config.task)
    loaded = backends.tracking.round_trip(
        estimator,
        input_example=features.head(5),
        task=config.task,
        trusted_types=config.training.trusted_types,
    )
    served = loaded.predict(features.head(200)).tolist()
    worst = largest_difference(trained, served)
    if worst > 1e-6:
        raise TrainingFailed(
            f"training-serving skew: after saving and loading, the answers differ by up to {worst:.3g} "
            "on the same rows; look for state outside the estimator (globals, random numbers at predict time)"
        )
    text = f"Trained on {len(rows)} rows, saved, loaded; largest difference of an answer {worst:.3g}."
    uri = backends.store.put(
        report_key(request.run, "preflight"),
        page(f"{config.model}: preflight", sentences(text)),
    )
    return Report(kind="preflight", uri=uri, summary={"rows": len(rows), "largest_difference": worst})


def _sample(rows: pd.DataFrame, config: ModelConfig) -> pd.DataFrame:
    """The newest rows and, for a classifier, the newest of each class: where a class is rare, the newest
    rows alone may all be of the other one."""
    newest = rows.tail(SAMPLE_ROWS)
    if config.task == "regression":
        return newest
    of_each_class = rows.groupby(config.data.label).tail(ROWS_OF_EACH_CLASS)
    return rows.loc[newest.index.union(of_each_class.index)]


def largest_difference(
    left: list[float] | list[list[float]], right: list[float] | list[list[float]]
) -> float:
    """The largest difference of two lists of answers of one shape, as a part of the answer where that is
    beyond 1; infinite where shapes differ or an answer is not a number.
    """
    if len(left) != len(right):
        return float("inf")
    worst = 0.0
    for one, other in zip(left, right, strict=True):
        ones = one if isinstance(one, list) else [one]
        others = other if isinstance(other, list) else [other]
        if len(ones) != len(others):
            return float("inf")
        worst = max([worst, *(_difference(a, b) for a, b in zip(ones, others, strict=True))])
    return worst


def _difference(one: float, other: float) -> float:
    found = abs(one - other) / max(1.0, abs(one))
    return found if math.isfinite(found) else math.inf  # max() passes over what is not a number
