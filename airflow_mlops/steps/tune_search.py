"""Search: one of several workers that try parameters on the training rows until the budget is spent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.rows import drawn
from airflow_mlops.backends.scoring import Beside
from airflow_mlops.backends.splits import Fold, split_rows
from airflow_mlops.backends.study import Study
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core.tuning import FAILURES_TO_GIVE_UP, Trial
from airflow_mlops.core.values import is_classification
from airflow_mlops.exceptions import DataRefused, TrainingFailed
from airflow_mlops.steps.requests import Searched, SearchRequest
from airflow_mlops.steps.train import fit, predictions_of
from airflow_mlops.steps.tuning import (
    answered_earlier,
    budget_of,
    first_params,
    search_run,
    study_of,
    tuning_of,
)

if TYPE_CHECKING:
    import pandas as pd

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(timezone.utc)


def tune_search(request: SearchRequest, backends: Backends, *, clock: Clock = _now) -> Searched:
    """Run trials until the budget that all workers share is spent. The holdout is never loaded.

    A trial that fails is recorded with its reason and the search goes on; it ends early where nothing else
    is seen. On a retry, finished trials stay, and the one that the worker died in is tried again.
    Raises ``DataRefused`` where the rows cannot be split, or a fold cannot be learned from or scored.
    """
    config, run, snapshot, worker = request.config, request.run, request.snapshot, request.worker
    study = study_of(config, run, snapshot, backends)
    earlier = answered_earlier(config, run, snapshot, study, backends)
    if earlier is not None:
        return Searched(worker, 0, f"run {earlier.entry.run_id} searched {earlier.age_days:.3g} days before")
    work = _work(config, study, request, backends, clock)
    study.begin(worker, first_params(config, run, snapshot, backends))
    search = search_run(config, run, study, backends)
    budget, ended = budget_of(tuning_of(config)), list[Trial]()
    while not _is_hopeless(ended, study):
        trial = study.ask(worker, budget, clock())
        if trial is None:
            why = budget.spent(study.trials(), clock()) or "others have the last trials"
            return Searched(worker, len(ended), why, search)
        ended.append(work.run(trial))
        backends.tracking.log_trial(search, ended[-1], metric=tuning_of(config).metric)
    return Searched(worker, len(ended), f"the first {len(ended)} trials failed", search)


def _is_hopeless(ended: Sequence[Trial], study: Study) -> bool:
    """Whether this worker has seen nothing but failures, and nobody else anything better. Counted from its
    own start: who mends the cause and clears the task is given another chance."""
    if len(ended) < FAILURES_TO_GIVE_UP or any(trial.state != "failed" for trial in ended):
        return False
    return all(trial.state in ("failed", "lost", "running") for trial in study.trials())


def _work(
    config: ModelConfig, study: Study, request: SearchRequest, backends: Backends, clock: Clock
) -> _Work:
    tuning = tuning_of(config)
    rows = backends.datasets.load(request.snapshot.dataset, "train").sort_values(
        config.data.time_column, kind="stable", ignore_index=True
    )
    rows = drawn(rows, tuning.rows or len(rows), tuning.seed).reset_index(drop=True)
    found = split_rows(
        rows,
        tuning.folds.plan,
        time_column=config.data.time_column,
        label=config.data.label,
        group=config.data.group,
        classes=is_classification(config.task),
        seed=tuning.seed,
    )
    return _Work(config, study, rows, found, backends, clock)


@dataclass(frozen=True, slots=True)
class _Work:
    """What each trial of a worker needs."""

    config: ModelConfig
    study: Study
    rows: pd.DataFrame
    folds: Sequence[Fold]
    backends: Backends
    clock: Clock

    def run(self, trial: Trial) -> Trial:
        """Score the trial's parameters fold by fold, and tell the study how it ended."""
        study, number, budget = self.study, trial.number, budget_of(tuning_of(self.config))
        for index, fold in enumerate(self.folds, start=1):
            if index > 1 and budget.out_of_time(study.trials(), self.clock()):
                return study.tell(number, "pruned", f"the search's time was over after fold {index - 1}")
            try:
                value = self._score(trial, fold)
            except TrainingFailed as error:
                return study.tell(number, "failed", str(error))
            except DataRefused as error:
                study.tell(number, "lost", str(error))  # not the parameters' fault
                raise DataRefused(f"fold {index} of {len(self.folds)} of the search: {error}") from error
            if not math.isfinite(value):
                return study.tell(
                    number, "failed", f"{tuning_of(self.config).metric} is {value} on fold {index}"
                )
            if study.report(number, value, self.clock()):
                return study.tell(number, "pruned", f"worse than others after fold {index}")
        return study.tell(number, "complete")

    def _score(self, trial: Trial, fold: Fold) -> float:
        config, metric = self.config, tuning_of(self.config).metric
        names, label = list(config.data.features), config.data.label
        known, unseen = self.rows.iloc[fold.train], self.rows.iloc[fold.test]
        params = {**config.training.params, **trial.params}
        estimator = fit(config, known[names], known[label], self.backends, params)
        answers = predictions_of(estimator, unseen[names], config.task, of="rows it was not trained on")
        scored = self.backends.metrics(config.task, config.evaluation.scoring).score(
            [metric],
            unseen[label],
            answers,
            config.evaluation.confidence,
            beside=Beside.of(unseen, config.data.group),
        )
        return scored[metric].value
