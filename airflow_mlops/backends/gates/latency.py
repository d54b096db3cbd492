"""How long a prediction takes in this process."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.material import Material
from airflow_mlops.backends.tracking import LoadedModel
from airflow_mlops.core.gates import fewest_for_quantile, quantile
from airflow_mlops.core.values import Finding, Measurement
from airflow_mlops.exceptions import DataRefused

if TYPE_CHECKING:
    import pandas as pd

_WARM_UP_CALLS = 10


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """A percentile of the milliseconds that a call takes, of one row and of a batch, with an interval by
    order statistics. The model is warm: its first calls do not count. What stands around it on a server
    (network, JSON, waiting) is not in it."""
    percentile, found = settings["percentile"], []
    for rows in dict.fromkeys((1, min(settings["rows"], len(material.holdout)))):
        times = _milliseconds(material.model, material.features, rows, settings["calls"])
        estimate = quantile(times, percentile / 100, material.confidence)
        if settings["decide_by"] != "value" and not (isfinite(estimate.low) and isfinite(estimate.high)):
            needed = fewest_for_quantile(percentile / 100, material.confidence)
            raise DataRefused(f"{len(times)} calls give no interval of this percentile; {needed} do")
        name = f"percentile {percentile} of a call with {rows} row{'s' * (rows > 1)}"
        found.append(Measurement(name, estimate, note=f"{len(times)} calls"))
    return Finding("", tuple(found), unit="ms")


def _milliseconds(model: LoadedModel, features: pd.DataFrame, rows: int, calls: int) -> list[float]:
    """Each call gets other rows, so that no answer is a memory of the one before."""
    starts = max(len(features) - rows + 1, 1)
    times = []
    for call in range(_WARM_UP_CALLS + calls):
        start = call * rows % starts
        asked = features.iloc[start : start + rows]
        begun = perf_counter()
        model.predict(asked)
        times.append(1_000 * (perf_counter() - begun))
    return times[_WARM_UP_CALLS:]
