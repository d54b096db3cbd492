"""A metric over the folds of the evaluation's cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.material import Material
from airflow_mlops.core.values import Finding, Measurement
from airflow_mlops.exceptions import DataRefused


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """The mean of one metric over the folds, and each fold where that is asked for. Raises ``DataRefused``
    where nothing was cross-validated, no fold could be scored or, of each, one could not."""
    metric, found = settings["metric"], material.cross_validation
    if found is None:
        raise DataRefused("nothing was cross-validated; give evaluation.cross_validation")
    unscored = [fold for fold in found.folds if fold.problem is not None]
    if metric not in found.means or (unscored and settings["of"] == "each"):
        raise DataRefused(f"{unscored[0].name} could not be scored: {unscored[0].problem}")
    scored = [fold for fold in found.folds if fold.problem is None]
    rows = sum(fold.test_rows for fold in scored)
    note = f"{len(scored)} of {len(found.folds)} folds"
    measurements = [Measurement(f"mean of {metric}", found.means[metric], rows=rows, note=note)]
    if settings["of"] == "each":
        measurements += [
            Measurement(f"{metric} in {fold.name}", fold.metrics[metric], rows=fold.test_rows)
            for fold in scored
        ]
    return Finding("", tuple(measurements))
