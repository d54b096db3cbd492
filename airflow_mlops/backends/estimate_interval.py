"""The interval of an estimate without labels: how sure what it was learnt from is, and chance."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.core.metrics import KnownMetric
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.values import Estimate

DRAWS = 50
ROWS = 20_000


def spread(drawn: Sequence[tuple[float, float]], share: float) -> float:
    """The standard deviation of a metric, from pairs of the metric on labels that were drawn and of what it
    is expected to be, one for each resampled holdout; infinite without any. Only a ``share`` of the answers
    was drawn: more answers say more surely what labels are by chance, but how sure the calibration is hangs
    on the holdout alone."""
    import numpy as np

    if not drawn:
        return float("inf")
    values, expected = np.array(drawn).T
    calibration = float(np.var(expected))
    return float((calibration + max(float(np.var(values)) - calibration, 0.0) * share) ** 0.5)


def interval(value: float, deviation: float, confidence: float, known: KnownMetric) -> Estimate:
    """A normal interval, cut off at the ends of what the metric can be."""
    half = quantile(confidence) * deviation
    return Estimate(value, max(value - half, known.low), min(value + half, known.high))
