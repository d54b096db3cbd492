"""Performance: the answers that were given, against the labels that have landed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.monitor_labels import Labels
from airflow_mlops.core.detectors import Batch, Signal, watch
from airflow_mlops.core.label_selection import Difference, biased_columns
from airflow_mlops.core.label_standing import label_standing
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import Report
from airflow_mlops.core.window_scores import WindowScore, looks
from airflow_mlops.exceptions import DataRefused
from airflow_mlops.steps.answered_classes import with_classes
from airflow_mlops.steps.kept_answers import load_answers, to_score
from airflow_mlops.steps.labels import Joined, LabelReader, join_labels
from airflow_mlops.steps.performance_findings import Findings
from airflow_mlops.steps.performance_page import performance_page
from airflow_mlops.steps.performance_slices import judged_slices, slice_columns
from airflow_mlops.steps.promise import Promise, promise_of
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.rescore import before_run, rescore, waiting
from airflow_mlops.steps.window_estimate import method_of
from airflow_mlops.steps.window_score import Scored, batches_of, score_window, watched

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE = 20_000
"""Of the answers with a label, and of those without, for the comparison of the two."""


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
    entries = before_run(backends.ledger.entries(config.model), request.run)
    windows = [window, *(scores[-1].window for scores in waiting(request, entries))]
    reader = LabelReader(config, labels, windows, backends)
    answers, file = _answers(request, labels, backends), backends.datasets.file(request.collected.uri)
    promise = promise_of(champion, settings.metric, config, backends)
    joined = join_labels(reader, answers, file, champion.version, window)
    joined = with_classes(joined, promise, config, backends)
    earlier = looks(entries).get(window.end, ())
    now = score_window(config, window, joined, promise, request.run.now, backends, earlier=earlier)
    rescored = rescore(request, entries, promise, reader, backends)
    seen = looks(entries)
    for one in (*(again.score for again in rescored), now.score):
        seen.setdefault(one.window.end, []).append(one)
    history = tuple(scores[-1] for end, scores in sorted(seen.items()) if end <= window.end)
    found = Findings(
        estimated_by=method_of(config.task),
        now=now,
        history=history,
        rescored=tuple(rescored),
        signals=tuple(
            _signals(request, history, rescored, promise, _told(entries, champion.version), backends)
        ),
        slices=tuple(judged_slices(config, joined, promise, backends)) if _is_fair(now.score, config) else (),
        selection=tuple(_selection(request, joined)),
        labels=label_standing(seen, now.score, coverage=labels.coverage, deadline=labels.waits),
    )
    uri = backends.store.put(report_key(request.run, "performance"), performance_page(request, found))
    return Report(kind="performance", uri=uri, summary=found.summary())


def _answers(request: CollectedRequest, labels: Labels, backends: Backends) -> pd.DataFrame:
    """The window's answers: what scores and slices read of them."""
    columns = to_score(request.config, labels)
    if columns is not None:
        columns = tuple(dict.fromkeys((*columns, *slice_columns(request.config))))
    return load_answers(request.collected.uri, columns, backends)


def _signals(
    request: CollectedRequest,
    history: Sequence[WindowScore],
    rescored: Sequence[Scored],
    promise: Promise,
    told: Mapping[str, datetime],
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
    return [
        watch(one.watched, reference, served, since, told.get(one.type))
        for one in watched(request.config).detectors
    ]


def _told(entries: Iterable[Entry], version: str) -> dict[str, datetime]:
    """Of each detector, the batch of the last alarm that an earlier run has raised about this version."""
    told: dict[str, datetime] = {}
    for item in entries:
        if item.kind != "monitored" or item.version != version:
            continue
        for one in item.data.get("detectors") or ():
            if one["state"] == "drift" and one.get("at"):
                at = datetime.fromisoformat(one["at"])
                told[one["detector"]] = max(at, told.get(one["detector"], at))
    return told


def _is_fair(score: WindowScore, config: ModelConfig) -> bool:
    """Whether as many labels are there as the YAML asks for before anything is read from them: where those of
    one kind come first, slices and detectors would accuse the model of it as well."""
    return score.coverage >= watched(config).minimum_coverage


def _selection(request: CollectedRequest, joined: Joined) -> list[Difference]:
    """The columns in which the answers with a label differ from those without, the answer itself among
    them; of many answers, in a sample: what it could miss is too small to be warned of."""
    from airflow_mlops.backends.kept_rows import rows_at, sample_of
    from airflow_mlops.backends.label_selection import FEWEST, differences

    sides = joined.numbers(there=True), joined.numbers(there=False)
    if min(map(len, sides)) < FEWEST:
        return []
    features = request.config.data.features
    columns = {name: kind for name, kind in features.items() if kind != "text"} | {"prediction": "numeric"}
    labelled, others = (rows_at(joined.file, sample_of(side, _SAMPLE), list(columns)) for side in sides)
    found = differences(labelled, others, columns)
    return biased_columns(found, request.config.evaluation.confidence)
