"""Sample run: every step of the pipeline on few rows, before the real one spends time on many."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlops.backends.base import Backends
from airflow_mlops.backends.fresh_process import answers_in_fresh_process
from airflow_mlops.backends.scratch import ScratchBackends, scratch_backends
from airflow_mlops.backends.user_code import user_code
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.config.parts.leakage import LabelLeakage, Leakage, TwinLeakage
from airflow_mlops.config.parts.splits import KFolds, RandomHoldout
from airflow_mlops.config.parts.tuning import Tuning
from airflow_mlops.core.answers import SAME_ANSWER, largest_difference
from airflow_mlops.core.values import Report, RunRef, Verdict
from airflow_mlops.core.windows import Period
from airflow_mlops.exceptions import MlopsError, PreflightFailed, TrainingFailed
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.gate import gate
from airflow_mlops.steps.page import page, sentences, table
from airflow_mlops.steps.record import report_key
from airflow_mlops.steps.register import register
from airflow_mlops.steps.requests import (
    DatasetRequest,
    EvaluateRequest,
    GateRequest,
    RegisterRequest,
    SearchRequest,
    Snapshot,
    TrainRequest,
)
from airflow_mlops.steps.sample import SHARE_HELD_OUT, held_out_of, sample_of
from airflow_mlops.steps.train import predictions_of, train
from airflow_mlops.steps.tune_choose import tune_choose
from airflow_mlops.steps.tune_search import tune_search
from airflow_mlops.steps.validate import validate

if TYPE_CHECKING:
    import pandas as pd

_ROWS_COMPARED = 200
# Of one row, or of one row and its like: what a sample tells of them is true of the whole. Counts, means and
# quantiles are not.
_BY_ROW = ("expect_column_values_", "expect_column_pair_values_", "expect_multicolumn_sum_")


def sample_run(request: DatasetRequest, backends: Backends) -> Report:
    """Run the steps one after another on a sample of the training rows, its newest part held out.

    They are the real steps with real libraries, but what they keep (runs, models, ledger entries, reports)
    lands in a folder that is thrown away. The holdout is not touched. The sample's model plays its own
    champion, so that every rule of the gates is computed; its verdict means nothing and is not looked at.

    Raises ``PreflightFailed`` that names the step that failed and why.
    """
    config = request.config
    sample = sample_of(backends.datasets.load(request.snapshot.dataset, "train"), config)
    done = _Done()
    with tempfile.TemporaryDirectory(prefix="airflow-mlops-") as folder:
        try:
            _run_all(request, sample, scratch_backends(Path(folder)), done)
        except MlopsError as error:
            if error.retry_can_help:
                raise
            # What lies in the folder is gone when somebody reads this.
            told = "\n".join(line for line in str(error).splitlines() if folder not in line)
            body = _page(config, len(sample), done, told)
            uri = backends.store.put(report_key(request.run, "sample_run"), body)
            raise PreflightFailed(
                f"{done.step} fails on a sample of {len(sample)} rows: {told}", report=uri
            ) from error
    uri = backends.store.put(report_key(request.run, "sample_run"), _page(config, len(sample), done, None))
    return Report(kind="sample_run", uri=uri, summary={"rows": len(sample), **done.facts})


@dataclass(slots=True)
class _Done:
    """The step under way, how long each took, and what is worth telling."""

    step: str = "sampling"
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def doing(self, step: str) -> Iterator[None]:
        self.step, started = step, time.perf_counter()
        with user_code("it", TrainingFailed):
            yield
        self.seconds[step] = time.perf_counter() - started


def _run_all(request: DatasetRequest, sample: pd.DataFrame, scratch: ScratchBackends, done: _Done) -> None:
    config, run = _on_a_sample(request.config), replace(request.run, kind="manual")
    snapshot = _saved(request, sample, scratch)
    asked = DatasetRequest(config, run, snapshot)
    with done.doing("validate"):
        validate(asked, scratch)
    tuned = None
    if config.tuning is not None:
        with done.doing("search for parameters"):
            tune_search(SearchRequest(config, run, snapshot, 0), scratch)
            tuned = tune_choose(asked, scratch)
    with done.doing("train"):
        training = train(TrainRequest(config, run, snapshot, tuned), scratch)
    with done.doing("saving and loading"):
        features = scratch.datasets.load(snapshot.dataset, "train")[list(config.data.features)]
        done.facts["largest_difference"] = _skew(config, training, features, scratch)
    with done.doing("evaluate"):
        model = scratch.tracking.register(config.model, training, {})
        scratch.tracking.set_alias(config.model, "champion", model.version)
        evaluation = evaluate(EvaluateRequest(config, run, snapshot, training), scratch)
        if evaluation.champion_problem is not None:
            raise TrainingFailed(f"two models cannot be compared: {evaluation.champion_problem}")
    not_measured = [f"{one.rule}: {one.problem}" for one in evaluation.findings if one.problem is not None]
    done.facts["not_measured"] = not_measured  # of so few rows, which is not the rule's fault
    with done.doing("gate"):
        gate(GateRequest(config, run, snapshot, training, evaluation), scratch)
    with done.doing("register"):
        passed = Verdict("pass", ("a trial",))
        register(RegisterRequest(config, run, snapshot, training, evaluation, passed), scratch)


def _on_a_sample(config: ModelConfig) -> ModelConfig:
    """The configuration without what only the whole can meet. Of the groups only those of a ranking stay, for
    it is scored by them. The holdout is told as a random one: by the times, or by the groups, the sample's
    model would know its own rows."""
    by_row = tuple(
        one
        for one in config.validation.expectations
        if one.type.startswith(_BY_ROW) and "mostly" not in one.kwargs
    )
    leakage = Leakage(label=LabelLeakage(enabled=False), twins=TwinLeakage(enabled=False))
    return config.model_copy(
        update={
            "data": config.data.model_copy(
                update={
                    "group": config.data.group if config.task == "ranking" else None,
                    "holdout": RandomHoldout(type="random", share=SHARE_HELD_OUT),
                }
            ),
            "validation": config.validation.model_copy(update={"expectations": by_row, "leakage": leakage}),
            "evaluation": config.evaluation.model_copy(update={"cross_validation": None}),
            "gates": config.gates.model_copy(update={"minimum_rows": 1}),
            "tuning": None if config.tuning is None else _few_trials(config.tuning),
        }
    )


def _few_trials(tuning: Tuning) -> Tuning:
    """Enough to see that the space fits the training code: one trial of several may fail, and in halves drawn
    at random there is something of each class."""
    halves = KFolds(type="k_fold", folds=2)
    few = {"trials": 3, "parallel": 1, "minutes": None, "every": None, "pruner": "none", "rows": None}
    return tuning.model_copy(update={**few, "folds": halves})


def _saved(request: DatasetRequest, sample: pd.DataFrame, scratch: ScratchBackends) -> Snapshot:
    """The sample as a snapshot of its own. What plays the holdout is the newest of each class, which need not
    be the newest of all."""
    config, whole = request.config, request.snapshot.dataset
    dataset = scratch.datasets.save(
        sample,
        model=config.model,
        window=whole.window,
        time_column=config.data.time_column,
        holdout_start=whole.holdout_start,
        parts=["holdout" if held_out else "train" for held_out in held_out_of(sample, config)],
    )
    return replace(request.snapshot, dataset=dataset)


def _skew(config: ModelConfig, training: RunRef, features: pd.DataFrame, scratch: ScratchBackends) -> float:
    """Training-serving skew: by how much the saved model answers otherwise, where nobody has trained it."""
    rows = features.tail(_ROWS_COMPARED)
    trained = predictions_of(scratch.tracking.estimator(training), rows, config.task)
    served = answers_in_fresh_process(
        scratch.tracking.files_of(training.model_uri),
        rows,
        task=config.task,
        trusted_types=config.training.trusted_types,
        timeout_seconds=Period.parse(config.preflight.timeout).seconds,
    )
    worst = largest_difference(trained, served)
    if worst > SAME_ANSWER:
        raise TrainingFailed(
            "training-serving skew: saved, and loaded in a fresh process, the model's answers differ by up "
            f"to {worst:.3g} on the same rows; look for state outside the estimator (globals, the order of a "
            "set, random numbers at predict time)"
        )
    return worst


def _page(config: ModelConfig, rows: int, done: _Done, failed: str | None) -> bytes:
    told = [(step, f"{seconds:.2f}", "done") for step, seconds in done.seconds.items()]
    told += [] if failed is None else [(done.step, "", f"failed: {failed}")]
    about = f"Every step on {rows} of the training rows; nothing of it was kept, the holdout was not touched."
    return page(
        f"{config.model}: sample run",
        sentences(about),
        table("Steps", ("step", "seconds", "outcome"), told),
    )
