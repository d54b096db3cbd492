"""Preflight: a run in small before the real one spends time (level 2 and up)."""

from __future__ import annotations

from airflow_mlops.backends.base import Backends
from airflow_mlops.core.values import Report
from airflow_mlops.exceptions import TrainingFailed
from airflow_mlops.steps.page import page, sentences
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import DatasetRequest
from airflow_mlops.steps.train import fit, predictions_of

SAMPLE_ROWS = 2_000


def preflight(request: DatasetRequest, backends: Backends) -> Report:
    """Train on the newest ``SAMPLE_ROWS`` rows, save, load and predict again: the loaded model must
    answer as the trained one did (training-serving skew). Raises ``TrainingFailed`` or ``ModelRefused``.
    """
    config, data = request.config, request.config.data
    rows = backends.datasets.load(request.snapshot.dataset, "train").tail(SAMPLE_ROWS)
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


def largest_difference(
    left: list[float] | list[list[float]], right: list[float] | list[list[float]]
) -> float:
    """The largest absolute difference of two lists of answers of one shape; infinite where shapes differ."""
    if len(left) != len(right):
        return float("inf")
    worst = 0.0
    for one, other in zip(left, right, strict=True):
        ones = one if isinstance(one, list) else [one]
        others = other if isinstance(other, list) else [other]
        if len(ones) != len(others):
            return float("inf")
        worst = max([worst, *(abs(a - b) for a, b in zip(ones, others, strict=True))])
    return worst
