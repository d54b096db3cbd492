"""What is wrong between the evidence that a rollout is judged by and the rest of a file."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.deploy_evidence import Quality
from airflow_mlops.config.problems import KeyPath
from airflow_mlops.core.metrics import METRICS, MetricSpec, is_mean_of_rows

_AT: KeyPath = ("deploy", "analysis")


def rollout_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Where, and what to do about it."""
    analysis = config.deploy.analysis
    if analysis.quality is not None:
        yield from _quality(analysis.quality, config)
    for index, metric in enumerate(analysis.metrics):
        if not config.deploy.weights and not metric.in_shadow:
            yield (
                (*_AT, "metrics", index),
                f"never asked for: strategy {config.deploy.strategy} gives the challenger no traffic; leave "
                "it out, or set in_shadow: true",
            )


def _quality(quality: Quality, config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    at: KeyPath = (*_AT, "quality")
    if config.monitor.labels is None:
        yield at, "needs monitor.labels, the place where true labels land"
    if not config.deploy.weights and not config.deploy.shadows:
        yield at, f"never judged: strategy {config.deploy.strategy} has no stage; leave it out"
    item = config.evaluation.item(quality.metric)
    if item is None:
        return  # told already
    if (problem := _not_by_row(item.spec, config)) is not None:
        yield (*at, "metric"), problem
    for column in item.columns:
        if column not in config.data.features:
            yield (
                (*at, "metric"),
                f"{quality.metric} needs the column {column}, which the inference log does not keep, for it "
                "is no feature; compare by another metric",
            )


def _not_by_row(spec: MetricSpec, config: ModelConfig) -> str | None:
    if config.task == "multiclass_classification" and spec.metric != "accuracy":
        return (
            f"{spec.name} needs probabilities, and the inference log of a multiclass_classification keeps an "
            "answer's most probable class; use accuracy"
        )
    if spec.metric is None or is_mean_of_rows(spec.metric):
        return None
    fitting = [
        name for name, known in METRICS.items() if config.task in known.tasks and is_mean_of_rows(name)
    ]
    use = f"use one of {', '.join(fitting)}" if fitting else f"a {config.task} has none, so leave it out"
    return f"{spec.name} is no mean over rows, and rows are looked at as their labels land; {use}"
