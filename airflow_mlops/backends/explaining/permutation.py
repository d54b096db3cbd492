"""Permutation importance: what a metric loses when one feature is shuffled among the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.explaining.rows import parts
from airflow_mlops.backends.material import Material
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.core.gates import loss
from airflow_mlops.core.values import Estimate, Importance
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd


def explain(settings: Mapping[str, Any], material: Material) -> tuple[Importance, ...]:
    """The loss of ``settings["metric"]``, paired by row, with the mean interval of the repeats (Breiman 2001,
    "Random Forests", section 10). Of two features that say the same, each looks unimportant by itself.

    A slice in which the metric is undefined (one class only) is left out.
    """
    found: list[Importance] = []
    for name, rows in parts(settings, material):
        try:
            found += _of(name, rows, settings, material)
        except DataRefused:
            if not name:
                raise
    return tuple(found)


def _of(name: str, rows: pd.DataFrame, settings: Mapping[str, Any], material: Material) -> list[Importance]:
    import numpy as np

    random = np.random.default_rng(material.seed)
    features, label = rows[list(material.columns.features)], rows[material.columns.label]
    answers, metric = material.model.predict(features), settings["metric"]
    beside = Beside.of(rows, material.columns.group)
    found = []
    for feature in features:
        lost = []
        for _ in range(settings["repeats"]):
            order = random.permutation(len(features))
            shuffled = features.assign(**{feature: features[feature].to_numpy()[order]})
            without = material.model.predict(shuffled)
            gap = material.metrics.difference(
                [metric], label, without, answers, material.confidence, beside=beside
            )
            lost.append(loss(metric, gap[metric], material.metrics.direction(metric)))
        found.append(Importance(str(feature), _mean(lost), name))
    return sorted(found, key=lambda item: -item.estimate.value)


def _mean(estimates: list[Estimate]) -> Estimate:
    count = len(estimates)
    return Estimate(
        sum(item.value for item in estimates) / count,
        sum(item.low for item in estimates) / count,
        sum(item.high for item in estimates) / count,
    )
