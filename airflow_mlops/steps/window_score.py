"""A window's score: the metric on the labels that are there, the estimate for those that are not, and the
losses that detectors read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_performance import Performance
from airflow_mlops.core.decay import decay_verdict
from airflow_mlops.core.detectors import Batch
from airflow_mlops.core.metrics import is_mean_of_rows
from airflow_mlops.core.proportions import quantile
from airflow_mlops.core.sequential import critical_value
from airflow_mlops.core.values import Estimate, TaskKind, Verdict
from airflow_mlops.core.window_scores import WindowScore
from airflow_mlops.core.windows import Period, Window
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps import window_estimate
from airflow_mlops.steps.answered_classes import answers_of
from airflow_mlops.steps.labels import Joined
from airflow_mlops.steps.promise import Promise

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LOSS_OF: dict[TaskKind, str] = {
    "binary_classification": "brier_score",
    "multiclass_classification": "accuracy",
    "regression": "mean_absolute_error",
    "forecasting": "mean_absolute_error",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A score with its verdict, and why what is not there is not: no estimate, no losses."""

    score: WindowScore
    verdict: Verdict
    notes: tuple[str, ...] = ()


def score_window(
    config: ModelConfig,
    window: Window,
    joined: Joined,
    promise: Promise,
    now: datetime,
    backends: Backends,
    *,
    earlier: Sequence[WindowScore] = (),
    estimated: Estimate | None = None,
) -> Scored:
    """All that is known of a window by ``now``. ``earlier`` are the looks at it that came before: all
    together have the chance of a false alarm of one. ``estimated`` is what one of them has estimated from the
    same answers."""
    settings = watched(config)
    notes: list[str] = []
    widening = _widening(config, window, joined, promise, now, earlier)
    observed, verdict, judged = _judged(config, settings, joined, promise, widening, backends)
    if estimated is None:
        estimated = window_estimate.estimated(config, joined, promise, notes, backends)
    try:
        losses = batches_of(joined.labelled, config, backends, since=window.start)
    except DataRefused as error:
        losses = ()
        notes.append(f"no losses for detectors: {error}")
    score = WindowScore(
        window=window,
        version=promise.model.version,
        at=now,
        metric=settings.metric,
        outcome=verdict.outcome,
        answers=len(joined.answers),
        labels=len(joined.labelled),
        observed=observed,
        promise=promise.estimate,
        estimated=estimated,
        losses=losses,
        landed=joined.lags(),
        waiting=joined.ages(now),
        judged=judged,
    )
    return Scored(score, verdict, tuple(notes))


def _widening(
    config: ModelConfig,
    window: Window,
    joined: Joined,
    promise: Promise,
    now: datetime,
    earlier: Sequence[WindowScore],
) -> float:
    """How many times as sure as one look alone this one must be: labels are looked at while they land. A look
    at the very labels of an earlier one is no other look."""
    labels, answers, settings = len(joined.labelled), len(joined.answers), config.monitor.labels
    if settings is None or not labels:
        return 1.0
    before = [
        one.labels
        for one in earlier
        if one.judged and one.version == promise.model.version and one.labels < labels
    ]
    share, confidence = labels / answers, config.evaluation.confidence
    last = share >= settings.coverage or now >= settings.waits.after(window.end)
    asked = critical_value((1 - confidence) / 2, share, before=max(before, default=0) / answers, last=last)
    return asked / quantile(confidence)


def watched(config: ModelConfig) -> Performance:
    """The settings, which are there wherever performance is judged."""
    if config.monitor.performance is None:
        raise ValueError("performance is judged only where monitor.performance is set")
    return config.monitor.performance


def batches_of(
    labelled: pd.DataFrame, config: ModelConfig, backends: Backends, *, since: datetime = _EPOCH
) -> tuple[Batch, ...]:
    """The mean loss of each batch that has labels enough, in the order of time; more of it is worse. Batches
    are counted from ``since`` on. One whose loss is no number (a percentage of a label of 0) is left out: a
    detector would hear nothing after it. Raises ``DataRefused`` where rows have no loss of their own."""
    settings = watched(config)
    if not settings.detectors or not len(labelled):
        return ()
    metric = _loss_metric(config, settings)
    scored = backends.metrics(config.task, config.evaluation.scoring)
    beside = Beside.of(labelled, None)
    values = scored.by_row(metric, labelled["label"], labelled["prediction"], beside=beside)
    losses = -values if scored.direction(metric) == "higher" else values
    length = timedelta(seconds=Period.parse(settings.batch).seconds)
    number = (labelled["event_time"] - since) // length
    means = labelled.assign(loss=losses, batch=number).groupby("batch")["loss"].agg(["mean", "size"])
    enough = means[means["size"] >= settings.batch_labels].sort_index()
    return tuple(
        Batch(since + length * int(index), float(mean), int(size))
        for index, mean, size in zip(enough.index, enough["mean"], enough["size"], strict=True)
        if isfinite(mean)
    )


def _loss_metric(config: ModelConfig, settings: Performance) -> str:
    if settings.loss is not None:
        return settings.loss
    item = config.evaluation.item(settings.metric)
    named = settings.metric if item is None else item.metric
    # Of several classes the log has no probabilities: a row is right or wrong.
    if named is not None and is_mean_of_rows(named) and config.task != "multiclass_classification":
        return settings.metric
    if (usual := _LOSS_OF.get(config.task)) is None:
        raise DataRefused(f"rows of a {config.task} have no loss of their own; give monitor.performance.loss")
    return usual


def _judged(
    config: ModelConfig,
    settings: Performance,
    joined: Joined,
    promise: Promise,
    widening: float,
    backends: Backends,
) -> tuple[Estimate | None, Verdict, bool]:
    """The metric, the verdict, and whether there was enough for one."""
    labels, answers = len(joined.labelled), len(joined.answers)
    if promise.estimate is None:
        said = f"the champion's evaluation has no {settings.metric}"
        return None, Verdict("inconclusive", (said,)), False
    if labels < settings.minimum_labels:
        asked = f"monitor.performance.minimum_labels asks for {settings.minimum_labels}"
        return None, Verdict("inconclusive", (f"{labels} labels have landed, {asked}",)), False
    try:
        observed = measure(config, joined.labelled, backends)
    except DataRefused as error:
        return None, Verdict("inconclusive", (str(error),)), False
    if answers and labels / answers < settings.minimum_coverage:
        asked = f"monitor.performance.minimum_coverage asks for {settings.minimum_coverage:.0%}"
        said = f"{labels / answers:.0%} of the labels landed, {asked}"
        return observed, Verdict("inconclusive", (said,)), False
    verdict = decay_verdict(
        settings.metric,
        observed,
        promise.estimate,
        tolerance=settings.tolerance,
        labels=labels,
        minimum_labels=settings.minimum_labels,
        direction=config.evaluation.direction(settings.metric),
        widening=widening,
    )
    return observed, verdict, True


def measure(config: ModelConfig, labelled: pd.DataFrame, backends: Backends) -> Estimate:
    """The watched metric on labelled answers. Raises ``DataRefused`` where it is not defined on them."""
    metric = watched(config).metric
    scored = backends.metrics(config.task, config.evaluation.scoring)
    return scored.score(
        [metric],
        labelled["label"],
        answers_of(labelled, config),
        config.evaluation.confidence,
        beside=Beside.of(labelled, config.data.group),
    )[metric]
