"""Performance: the answers that were given, against the labels that have landed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.config.parts.monitor_performance import Performance
from airflow_mlops.core.decay import decay_verdict
from airflow_mlops.core.values import Estimate, Evaluation, ModelRef, Report, Verdict
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.evaluate import EVALUATION_FILE
from airflow_mlops.steps.labels import landed_labels
from airflow_mlops.steps.page import page, sentences
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest

if TYPE_CHECKING:
    import pandas as pd


def performance(request: CollectedRequest, backends: Backends) -> Report | None:
    """Hold the champion's answers of the window against their labels and the promise made at promotion.

    None where the YAML names no labels or no metric. With too few labels the outcome is inconclusive.
    """
    config, monitor = request.config, request.config.monitor
    if monitor.labels is None or monitor.performance is None:
        return None
    answers = backends.datasets.load_frame(request.collected.uri)
    landed = landed_labels(config, monitor.labels, request.collected.window, backends)[["key", "label"]]
    champion = request.collected.champion
    # A window may hold answers of the champion before this one, or of a challenger in its canary.
    own = answers.loc[answers["version"] == champion.version].drop_duplicates("key")
    joined = own.merge(landed.drop_duplicates("key"), on="key")
    promise = _promise(champion, monitor.performance, backends)
    observed: Estimate | None = None
    if promise is None:
        metric = monitor.performance.metric
        verdict = Verdict("inconclusive", (f"the champion's evaluation has no {metric}",))
    elif len(joined) < monitor.performance.minimum_labels:
        verdict = _too_few(len(joined), monitor.performance)
    else:
        observed, verdict = _judged(request, backends, joined, promise)
    return _report(request, backends, observed, promise, verdict, answers=len(own), labels=len(joined))


def _promise(champion: ModelRef, settings: Performance, backends: Backends) -> Estimate | None:
    """The champion's own number on its holdout, as its training run keeps it."""
    run_id = backends.tracking.run_of(champion).run_id
    try:
        kept = backends.tracking.read_file(run_id, EVALUATION_FILE)
    except KeyError:
        return None
    return TypeAdapter(Evaluation).validate_json(kept).challenger.get(settings.metric)


def _too_few(labels: int, settings: Performance) -> Verdict:
    said = (
        f"{labels} labels have landed, monitor.performance.minimum_labels asks for {settings.minimum_labels}"
    )
    return Verdict("inconclusive", (said,))


def _judged(
    request: CollectedRequest, backends: Backends, joined: pd.DataFrame, promise: Estimate
) -> tuple[Estimate | None, Verdict]:
    config, settings = request.config, request.config.monitor.performance
    if settings is None:
        raise ValueError("performance is judged only where monitor.performance is set")
    scored = backends.metrics(config.task, config.evaluation.scoring)
    label, answer = joined["label"], joined["prediction"]
    try:
        observed = scored.score(
            [settings.metric],
            label,
            answer,
            config.evaluation.confidence,
            beside=Beside.of(joined, config.data.group),
        )[settings.metric]
    except DataRefused as error:
        return None, Verdict("inconclusive", (str(error),))
    return observed, decay_verdict(
        settings.metric,
        observed,
        promise,
        tolerance=settings.tolerance,
        labels=len(joined),
        minimum_labels=settings.minimum_labels,
        direction=config.evaluation.direction(settings.metric),
    )


def _report(
    request: CollectedRequest,
    backends: Backends,
    observed: Estimate | None,
    promise: Estimate | None,
    verdict: Verdict,
    *,
    answers: int,
    labels: int,
) -> Report:
    config, collected = request.config, request.collected
    coverage = labels / answers if answers else 0.0
    body = page(
        f"{config.model}: performance",
        sentences(
            f"{collected.champion} gave {answers} answers in {collected.window}; labels for {labels} of them "
            f"have landed ({coverage:.0%}).",
            *verdict.reasons,
        ),
    )
    return Report(
        kind="performance",
        uri=backends.store.put(report_key(request.run, "performance"), body),
        summary={
            "outcome": verdict.outcome,
            "reasons": list(verdict.reasons),
            "metric": config.monitor.performance.metric if config.monitor.performance else None,
            "observed": observed.value if observed else None,
            "promise": promise.value if promise else None,
            "labels": labels,
            "coverage": coverage,
        },
    )
