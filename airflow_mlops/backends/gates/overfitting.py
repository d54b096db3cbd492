"""How much better a model is on the rows it was trained on than on the holdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.material import Material
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.core.gates import loss
from airflow_mlops.core.proportions import independent_difference
from airflow_mlops.core.values import Finding, Measurement


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """The gap of one metric between training rows and holdout, in the metric's unit; above zero the model is
    better on its training rows. The two samples are independent, so half the widths of the two intervals add
    up in squares (Newcombe 1998, "Interval estimation for the difference", method 10).
    """
    metric, columns = settings["metric"], material.columns
    rows = material.training()
    if len(rows) > settings["rows"]:
        rows = rows.sample(settings["rows"], random_state=material.seed)
    answers = material.model.predict(rows[list(columns.features)])
    seen, unseen = (
        material.metrics.score(
            [metric],
            frame[columns.label],
            answered,
            material.confidence,
            beside=Beside.of(frame, columns.group),
        )[metric]
        for frame, answered in ((rows, answers), (material.holdout, material.answers))
    )
    gap = loss(metric, independent_difference(unseen, seen), material.metrics.direction(metric))
    note = f"training {seen}, holdout {unseen}"
    return Finding("", (Measurement(f"gap of {metric}", gap, rows=len(rows), note=note),))
