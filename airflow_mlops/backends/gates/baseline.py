"""How much better a model is than a simple rival on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlops.backends.material import Material
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.core.gates import loss
from airflow_mlops.core.raised import raised
from airflow_mlops.core.values import Estimate, Finding, Measurement, Verdict
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import DataRefused


def measure(settings: Mapping[str, Any], material: Material) -> Finding:
    """The gain of one metric over the rival's answers, paired by row, in the metric's unit.

    Where nobody was champion at the time that ``former`` asks for, there is nobody to beat, and it passes.
    """
    metric, kind = settings["metric"], settings["kind"]
    if kind == "former":
        moment = Period.parse(settings["age"]).before(_newest(material))
        model = material.former(moment)
        if model is None:
            return Finding("", verdict=Verdict("pass", (f"nobody was champion on {moment:%Y-%m-%d}",)))
        theirs, rival = model.predict(material.features), f"the champion of {moment:%Y-%m-%d}"
    elif kind == "column":
        theirs, rival = _column(settings["column"], material), f"column {settings['column']}"
    elif kind == "last_value":
        theirs, said = _last_value(material)
        rival = f"the last value, {said}"
    else:
        theirs, said = _constant(metric, material)
        rival = f"the constant {said}"
    beside = Beside.of(material.holdout, material.columns.group)
    difference = material.metrics.difference(
        [metric], material.label, material.answers, theirs, material.confidence, beside=beside
    )[metric]
    lost = loss(metric, difference, material.metrics.direction(metric))
    gain = Estimate(-lost.value, -lost.high, -lost.low)
    score = material.metrics.score([metric], material.label, theirs, material.confidence, beside=beside)[
        metric
    ]
    note = f"the rival has {score}"
    name = f"gain of {metric} over {rival}"
    return Finding("", (Measurement(name, gain, rows=len(material.holdout), note=note),))


def _newest(material: Material) -> Any:
    newest = material.holdout[material.columns.time].max().to_pydatetime()
    if newest.tzinfo is None:
        raise DataRefused(f"{material.columns.time} has no time zone, so nobody can tell who was champion")
    return newest


def _column(name: str, material: Material) -> Any:
    import numpy as np

    if name not in material.holdout:
        raise DataRefused(f"there is no column {name!r} in the snapshot")
    try:
        return material.holdout[name].to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"the answers in column {name!r} are no numbers: {raised(error)}") from None


def _last_value(material: Material) -> tuple[Any, str]:
    """The newest label that was known before the holdout: the naive forecast."""
    import numpy as np

    rows, columns = material.training(), material.columns
    last = float(rows.sort_values(columns.time, kind="stable")[columns.label].iloc[-1])
    return np.full(len(material.holdout), last), f"{last:g}"


def _constant(metric: str, material: Material) -> tuple[Any, str]:
    """The one answer that does best on the training rows: of classes their shares (whose largest is the most
    frequent class), of numbers the mean, or the median where absolute errors count."""
    import numpy as np

    label = material.training()[material.columns.label]
    rows = len(material.holdout)
    if material.task == "binary_classification":
        share = float(label.astype("float64").mean())
        return np.full(rows, share), f"{share:.4g}, the share of 1 in training"
    if material.task == "multiclass_classification":
        shares = label.value_counts(normalize=True).sort_index()
        width = material.answers.shape[1]
        if len(shares) != width:
            raise DataRefused(f"training has {len(shares)} classes, and the model answers for {width}")
        words = f"of the classes' shares, most of them {shares.idxmax()} ({shares.max():.0%})"
        return np.tile(shares.to_numpy(dtype="float64"), (rows, 1)), words
    numbers = label.astype("float64")
    absolute = "absolute" in metric
    value = float(numbers.median() if absolute else numbers.mean())
    return np.full(rows, value), f"{value:.4g}, the {'median' if absolute else 'mean'} of training"
