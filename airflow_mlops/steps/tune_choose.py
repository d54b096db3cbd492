"""Choose: the best parameters that a search found, recorded with how they were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.study import Study
from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.tuning import EarlierSearch, Trial, best, first_reasons
from airflow_mlops.core.values import Report, SearchRun
from airflow_mlops.exceptions import TrainingFailed
from airflow_mlops.steps.record import entry, report_key
from airflow_mlops.steps.requests import DatasetRequest, Tuned
from airflow_mlops.steps.tuning import (
    answered_earlier,
    maximize,
    question,
    search_run,
    study_of,
    tuning_of,
)
from airflow_mlops.steps.tuning_page import earlier_page, search_page


def tune_choose(request: DatasetRequest, backends: Backends) -> Tuned:
    """The parameters of the best complete trial, or those of an earlier search that still holds.

    Raises ``TrainingFailed`` with the first reasons where no trial came to its end.
    """
    config, run, snapshot = request.config, request.run, request.snapshot
    study = study_of(config, run, snapshot, backends)
    earlier = answered_earlier(config, run, snapshot, study, backends)
    if earlier is not None:
        return _as_earlier(request, earlier, backends)
    trials = study.trials()
    search = search_run(config, run, study, backends)
    for trial in trials:  # a worker may have died between the end of a trial and its record
        if trial.state != "running":
            backends.tracking.log_trial(search, trial, metric=tuning_of(config).metric)
    winner = best(trials, maximize=maximize(config))
    if winner is None:
        backends.tracking.end_search(search, params={}, metrics={}, failed=True)
        raise _nothing_found(request, trials)
    return _chosen(request, study, trials, winner, search, backends)


def _chosen(
    request: DatasetRequest,
    study: Study,
    trials: Sequence[Trial],
    winner: Trial,
    search: SearchRun,
    backends: Backends,
) -> Tuned:
    config, run = request.config, request.run
    metric, states = tuning_of(config).metric, _states(trials)
    body = search_page(config, trials, winner, study.importances(), search)
    uri = backends.store.put(report_key(run, "tuning"), body)
    tuned = Tuned(
        params=winner.params,
        metric=metric,
        value=winner.value,
        searched_by=run.key.run_id,
        trials=states,
        search=search,
        report=Report(kind="tuning", uri=uri, summary={metric: winner.value, **states}),
    )
    _record(request, tuned, winner, backends)
    numbers = {f"best_{metric}": winner.value, "trials": float(sum(states.values()))}
    backends.tracking.end_search(search, params=winner.params, metrics=numbers, failed=False)
    return tuned


def _record(request: DatasetRequest, tuned: Tuned, winner: Trial, backends: Backends) -> None:
    """In the ledger: later runs look here for an answer that still holds."""
    config, dataset = request.config, request.snapshot.dataset
    counted = ", ".join(f"{count} {state}" for state, count in tuned.trials.items())
    told = ", ".join(f"{name} {value}" for name, value in tuned.params.items())
    backends.ledger.append(
        entry(
            config,
            request.run,
            "tuned",
            tuned.search.run_id if tuned.search else "",
            # Who raises the budget and clears the tasks may find something better: another decision.
            stage=content_hash(dict(tuned.params))[:12],
            reasons=(f"trial {winner.number}: {told}: {tuned.metric} {tuned.value:.4g}; {counted}",),
            evidence=(tuned.report.uri,) if tuned.report else (),
            window=dataset.window,
            data_version=dataset.version,
            data={
                "question": question(config),
                "params": dict(tuned.params),
                "metric": tuned.metric,
                "value": tuned.value,
                "trials": dict(tuned.trials),
                "holdout_start": dataset.holdout_start.isoformat(),
            },
        )
    )


def _as_earlier(request: DatasetRequest, earlier: EarlierSearch, backends: Backends) -> Tuned:
    found: Mapping[str, Any] = earlier.entry.data
    body = earlier_page(request.config, earlier)
    uri = backends.store.put(report_key(request.run, "tuning"), body)
    return Tuned(
        params=earlier.params,
        metric=str(found["metric"]),
        value=float(found["value"]),
        searched_by=earlier.entry.run_id,
        trials=dict(found["trials"]),
        report=Report(kind="tuning", uri=uri, summary={"age_days": earlier.age_days}),
    )


def _states(trials: Sequence[Trial]) -> dict[str, int]:
    return dict(sorted(Counter(trial.state for trial in trials).items()))


def _nothing_found(request: DatasetRequest, trials: Sequence[Trial]) -> TrainingFailed:
    model, tuning = request.config.model, tuning_of(request.config)
    counted = ", ".join(f"{count} {state}" for state, count in _states(trials).items()) or "none"
    reasons = first_reasons(trials)
    if not reasons:
        return TrainingFailed(
            f"the search of {model} ended before any trial came to its last fold (trials: {counted}): raise "
            "tuning.minutes, or give fewer tuning.folds or tuning.rows, then clear tune.search"
        )
    budget = f" ({tuning.trials} trials are all it may spend: raise tuning.trials if you change nothing else)"
    return TrainingFailed(
        f"the search of {model} found nothing (trials: {counted}). "
        + "; ".join(reasons)
        + f". Correct tuning.space or the training code, then start a new run{budget}"
    )
