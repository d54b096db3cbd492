"""Re-score: earlier windows of which more labels have landed since they were scored last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.ledger import Entry
from airflow_mlops.core.values import ModelRef, RunInfo
from airflow_mlops.core.window_scores import WindowScore, is_complete, looks
from airflow_mlops.exceptions import DataRefused, ModelRefused
from airflow_mlops.steps.answered_classes import with_classes
from airflow_mlops.steps.collected_key import collected_key
from airflow_mlops.steps.kept_answers import load_answers, to_join, to_score
from airflow_mlops.steps.labels import Joined, LabelReader, join_labels
from airflow_mlops.steps.promise import Promise, promise_of
from airflow_mlops.steps.record import entry, is_ours
from airflow_mlops.steps.requests import CollectedRequest
from airflow_mlops.steps.window_score import Scored, score_window, watched


def rescore(
    request: CollectedRequest,
    entries: Sequence[Entry],
    known: Promise,
    reader: LabelReader,
    backends: Backends,
) -> list[Scored]:
    """Score the windows again that ended before this run's, are not complete by policy, and have more labels
    than at their last score; each is an entry of the ledger. On a retry, what the first try wrote is left
    out, and found again.

    ``known`` is the promise of the present champion; earlier windows are held to that of their own. Those of
    a version that was deleted since stay as they are.
    """
    promises: dict[str, Promise | None] = {known.model.version: known}
    found = []
    for scores in waiting(request, entries):
        last = scores[-1]
        if last.version not in promises:
            model = ModelRef(request.config.model, last.version)
            promises[last.version] = _promise(model, request, backends)
        promise = promises[last.version]
        scored = None if promise is None else _scored(request, scores, promise, reader, backends)
        if scored is not None:
            _record(request, scored, last, _fault(entries, last), backends)
            found.append(scored)
    return found


def before_run(entries: Sequence[Entry], run: RunInfo) -> list[Entry]:
    """The ledger as a run found it when it was first tried."""
    return [item for item in entries if not is_ours(item, run)]


def waiting(request: CollectedRequest, entries: Sequence[Entry]) -> Iterator[Sequence[WindowScore]]:
    """The looks at each earlier window that was not complete when a run looked last: one whose deadline has
    passed since is looked at a last time."""
    labels, end = request.config.monitor.labels, request.collected.window.end
    if labels is None:
        return
    seen = looks(before_run(entries, request.run))
    before = max((one.at for scores in seen.values() for one in scores), default=request.run.now)
    for scores in seen.values():
        last = scores[-1]
        done = is_complete(last, before, coverage=labels.coverage, deadline=labels.waits)
        if last.window.end < end and not done:
            yield scores


def _promise(model: ModelRef, request: CollectedRequest, backends: Backends) -> Promise | None:
    try:
        return promise_of(model, watched(request.config).metric, request.config, backends)
    except ModelRefused:
        return None


def _scored(
    request: CollectedRequest,
    earlier: Sequence[WindowScore],
    promise: Promise,
    reader: LabelReader,
    backends: Backends,
) -> Scored | None:
    """The new score, or None where nothing has landed, or the answers are no longer kept. Many windows
    wait, and few have news: what is scored of a window is read only where it has."""
    config, last = request.config, earlier[-1]
    counted = _joined(config, last, to_join(reader.labels), reader, backends)
    if counted is None or (len(counted.labelled) <= last.labels and not _is_due(request, last)):
        return None
    joined = _joined(config, last, to_score(config, reader.labels), reader, backends)
    if joined is None:
        return None
    joined = with_classes(joined, promise, config, backends)
    return score_window(
        config,
        last.window,
        joined,
        promise,
        request.run.now,
        backends,
        earlier=earlier,
        estimated=last.estimated,
    )


def _is_due(request: CollectedRequest, last: WindowScore) -> bool:
    """Whether a last look may say more of the same labels: none comes after it, so it may be less sure."""
    labels = request.config.monitor.labels
    if labels is None or not last.judged or last.outcome != "inconclusive":
        return False
    return request.run.now >= labels.waits.after(last.window.end)


def _joined(
    config: ModelConfig,
    last: WindowScore,
    columns: Sequence[str] | None,
    reader: LabelReader,
    backends: Backends,
) -> Joined | None:
    """The window's answers with their labels; None where the answers are no longer kept."""
    uri = backends.store.uri(collected_key(config.model, last.window))
    try:
        answers = load_answers(uri, columns, backends)
    except DataRefused:
        return None
    return join_labels(reader, answers, backends.datasets.file(uri), last.version, last.window)


def _fault(entries: Sequence[Entry], last: WindowScore) -> str | None:
    """What was broken about a window's data when it was monitored: its decay is no news about the model."""
    subject = last.window.end.isoformat()
    found = [item for item in entries if item.kind == "monitored" and item.subject == subject]
    return found[-1].data.get("upstream_fault") if found else None


def _record(
    request: CollectedRequest, scored: Scored, last: WindowScore, fault: str | None, backends: Backends
) -> None:
    score = scored.score
    backends.ledger.append(
        entry(
            request.config,
            request.run,
            "rescored",
            score.window.end.isoformat(),
            version=score.version,
            reasons=scored.verdict.reasons,
            window=score.window,
            data={
                "decayed": score.decayed,
                "upstream_fault": fault,
                "labels": score.labels,
                "labels_before": last.labels,
                "coverage": score.coverage,
                "score": score.to_json(),
            },
        )
    )
