"""What is wrong between the watch over performance and the rest of a file."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.problems import KeyPath, nearest
from airflow_mlops.core.metrics import METRICS, is_mean_of_rows


def performance_checks(config: ModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """A loss that rows do not have, and slices by what the inference log does not keep."""
    watched = config.monitor.performance
    if watched is None:
        return
    at: KeyPath = ("monitor", "performance")
    if watched.loss is not None and (problem := _loss_problem(watched.loss, config)):
        yield (*at, "loss"), problem
    for index, cut in enumerate(watched.slices.by):
        for name in cut:
            if name in config.data.texts:
                yield (*at, "slices", "by", index), f"{name!r} is text: nearly every row would be a slice"
            elif name not in config.data.features:
                hint = nearest(name, list(config.data.features)) or "cut by a feature"
                yield (
                    (*at, "slices", "by", index),
                    f"{name!r} is no feature, and the inference log keeps features only; {hint}",
                )
    for name, edges in watched.slices.edges.items():
        if list(edges) != sorted(set(edges)):
            yield (*at, "slices", "edges", name), "must go up, each edge once"


def _loss_problem(loss: str, config: ModelConfig) -> str | None:
    """One of the table need not be among evaluation.metrics: nothing is promised of it."""
    item = config.evaluation.item(loss)
    metric = loss if item is None else item.metric
    if metric is None:
        return None  # a function or costs of the user's own: whether they are of rows is seen when they run
    if metric not in METRICS or config.task not in METRICS[metric].tasks:
        return f"{loss!r} is neither one of evaluation.metrics nor a metric of a {config.task}"
    if config.task == "multiclass_classification" and metric != "accuracy":
        return (
            f"{metric} needs probabilities, and the inference log keeps the most probable class; use accuracy"
        )
    if not is_mean_of_rows(metric):
        return f"{metric} gives one number for all rows together, and none for each, which detectors follow"
    return None
