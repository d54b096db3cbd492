"""Sends a step's numbers by Airflow's own metrics: to OpenTelemetry, Datadog or StatsD, as that is set up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def send_numbers(model: str, step: str, result: Mapping[str, Any]) -> None:
    """Send what a step's result says; nothing where Airflow sends no metrics.

    With tags a metric is ``mlops.drifted`` and the model is a tag. Airflow drops the tags where it sends to
    plain StatsD, and there the model, and all that tells one from another, is part of the name:
    ``mlops.churn.drifted``.
    """
    from airflow.sdk.configuration import conf

    on = {name: conf.getboolean("metrics", name, fallback=False) for name in _SWITCHES}
    if not any(on[name] for name in _SENDERS):
        return
    from airflow_mlops.core.step_metrics import result_samples

    samples = result_samples(step, result)
    if not samples:
        return
    try:
        from airflow.sdk.observability import stats
    except ImportError:  # Airflow 3.2: what its tasks send has no public home yet
        return
    from airflow_mlops.core.model_metrics import FAMILIES

    # Airflow asks in this order: of several that are switched on the first one sends.
    tagged = on["statsd_datadog_enabled"] or not on["statsd_on"] or on["statsd_influxdb_enabled"]
    for sample in samples:
        family = FAMILIES[sample.name]
        tags = {"model": model, **dict(zip(family.labels, sample.labels, strict=True))}
        parts = [] if tagged else [model]
        parts += [sample.name.removesuffix("_total"), *([] if tagged else sample.labels)]
        name = ".".join(["mlops", *(_plain(part) for part in parts)])
        if family.kind == "counter":
            stats.incr(name, int(sample.value), tags=tags)
        else:
            stats.gauge(name, float(sample.value), tags=tags)


_SENDERS = ("statsd_datadog_enabled", "statsd_on", "otel_on")
_SWITCHES = (*_SENDERS, "statsd_influxdb_enabled")


def _plain(part: str) -> str:
    """A part of a dotted name: StatsD reads a dot as the end of a part."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in part)
