"""Performance: the answers that were given, against the labels that have landed since."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.detectors import Batch, Signal, watch
from airflow_mlops.core.label_selection import Difference, biased_columns
from airflow_mlops.core.label_standing import label_standing
from airflow_mlops.core.values import Report
from airflow_mlops.core.window_scores import WindowScore, looks
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.answered_classes import with_classes
from airflow_mlops.steps.labels import Joined, join_labels
from airflow_mlops.steps.performance_findings import Findings
from airflow_mlops.steps.performance_page import performance_page
from airflow_mlops.steps.performance_slices import judged_slices
from airflow_mlops.steps.promise import Promise, promise_of
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.rescore import before_run, rescore
from airflow_mlops.steps.window_estimate import method_of
from airflow_mlops.steps.window_score import Scored, batches_of, score_window, watched


def performance(request: CollectedRequest, backends: Backends) -> Report | None:
    """Hold the champion's answers of the window against their labels and the promise made at promotion, and
    score earlier windows again where more labels have landed.

    None where the YAML names no labels or no metric. With too few labels the outcome is inconclusive; the
    estimate that stands beside it decides nothing.
    """
    config, labels, settings = (
        request.config,
        request.config.monitor.labels,
        request.config.monitor.performance,
    )
    if labels is None or settings is None:
        return None
    window, champion = request.collected.window, request.collected.champion
    answers = backends.datasets.load_frame(request.collected.uri)
    joined = join_labels(config, labels, answers, champion.version, window, backends)
    promise = promise_of(champion, settings.metric, config, backends)
    joined = with_classes(joined, promise, config, backends)
    now = score_window(config, window, joined, promise, request.run.now, backends)
    entries = before_run(backends.ledger.entries(config.model), request.run)
    rescored = rescore(request, entries, promise, backends)
    seen = looks(entries)
    for one in (*(again.score for again in rescored), now.score):
        seen.setdefault(one.window.end, []).append(one)
    history = tuple(scores[-1] for end, scores in sorted(seen.items()) if end <= window.end)
    found = Findings(
        estimated_by=method_of(config.task),
        now=now,
        history=history,
        rescored=tuple(rescored),
        signals=tuple(_signals(request, history, rescored, promise, backends)),
        slices=tuple(judged_slices(config, joined, promise, backends)) if _is_fair(now.score, config) else (),
        selection=tuple(_selection(request, joined)),
        labels=label_standing(seen, now.score, coverage=labels.coverage, deadline=labels.waits),
    )
    uri = backends.store.put(report_key(request.run, "performance"), performance_page(request, found))
    return Report(kind="performance", uri=uri, summary=found.summary())


def _signals(
    request: CollectedRequest,
    history: Sequence[WindowScore],
    rescored: Sequence[Scored],
    promise: Promise,
    backends: Backends,
) -> list[Signal]:
    """What each detector says of the windows that this run has scored, after the holdout's batches and all
    that this champion has served."""
    version = promise.model.version
    served = [
        batch
        for score in history
        if score.version == version and _is_fair(score, request.config)
        for batch in score.losses
    ]
    again = (one.score.window.start for one in rescored if one.score.version == version)
    since = min([request.collected.window.start, *again])
    reference: Sequence[Batch] = ()
    try:
        if promise.holdout is not None:
            reference = batches_of(promise.holdout, request.config, backends)
    except DataRefused:
        pass  # a loss of features, which the kept answers of the holdout do not have
    return [watch(one.watched, reference, served, since) for one in watched(request.config).detectors]


def _is_fair(score: WindowScore, config: ModelConfig) -> bool:
    """Whether as many labels are there as the YAML asks for before anything is read from them: where those of
    one kind come first, slices and detectors would accuse the model of it as well."""
    return score.coverage >= watched(config).minimum_coverage


def _selection(request: CollectedRequest, joined: Joined) -> list[Difference]:
    """The columns in which the answers with a label differ from those without, the answer itself among
    them."""
    from airflow_mlops.backends.label_selection import differences

    columns = {**request.config.data.features, "prediction": "numeric"}
    found = differences(joined.labelled, joined.unlabelled, columns)
    return biased_columns(found, request.config.evaluation.confidence)
