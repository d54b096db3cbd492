"""A search for parameters: what it sees, spends, survives, and hands to the training."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_mlops.config.load import load_model
from airflow_mlops.config.parts.splits import KFolds
from airflow_mlops.exceptions import DataRefused, PreflightFailed, TrainingFailed
from airflow_mlops.steps.evaluate import evaluate
from airflow_mlops.steps.requests import (
    DatasetRequest,
    EvaluateRequest,
    SearchRequest,
    SnapshotRequest,
    TrainRequest,
)
from airflow_mlops.steps.sample_run import sample_run
from airflow_mlops.steps.snapshot import snapshot
from airflow_mlops.steps.train import train
from airflow_mlops.steps.tune_choose import tune_choose
from airflow_mlops.steps.tune_search import tune_search
from airflow_mlops.steps.tuning import study_of

TUNING = """\
tuning:
  metric: log_loss
  trials: 6
  parallel: 2
  folds: {type: time}
  space:
    C: {type: float, low: 0.0001, high: 10.0, log: true}
    class_weight: {type: categorical, choices: [null, balanced]}
"""


@pytest.fixture
def make_config(config, tmp_path):
    """``make_config(C="{...}", trials=8, ...)``: the model with a search whose lines are replaced."""
    base = (tmp_path / "churn.yaml").read_text()

    def make(text: str = TUNING, **replaced: str):
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "tuned.yaml"
        path.write_text(base + text)
        return load_model(path).config

    return make


@pytest.fixture
def tuned_config(make_config):
    return make_config()


def taken(config, run, backends):
    found = snapshot(SnapshotRequest(config, run), backends)
    assert found is not None
    return found


def search(config, run, backends, worker=0, **more):
    return tune_search(SearchRequest(config, run, taken(config, run, backends), worker), backends, **more)


def choose(config, run, backends):
    return tune_choose(DatasetRequest(config, run, taken(config, run, backends)), backends)


def the_search(backends):
    (found,) = backends.tracking.searches.values()
    return found


def test_a_search_finds_better_parameters_and_the_training_uses_them(make_config, make_run, backends):
    config = make_config(**{"  metric: log_loss\n": "  metric: log_loss\n  seed: 3\n"})
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"params": {"C": 0.0001}})}
    )
    run = make_run(40)
    done = search(config, run, backends)
    tuned = choose(config, run, backends)
    assert done.trials == 6
    assert "all 6 trials have begun" in done.stopped
    first = the_search(backends)["trials"][0]
    assert first.params["C"] == 0.0001, "the YAML's own parameters come first"
    assert tuned.params["C"] > 0.001
    assert tuned.value < first.value
    assert tuned.trials["complete"] + tuned.trials.get("pruned", 0) == 6
    trained = train(TrainRequest(config, run, taken(config, run, backends), tuned), backends)
    logged = backends.tracking.runs[trained.run_id]
    assert tuned.params["C"] == logged["estimator"].named_steps["estimator"].C
    assert logged["params"] == {**tuned.params, "seed": 0}
    assert json.loads(logged["tags"]["mlops.tuned_params"]) == dict(tuned.params)
    assert logged["tags"]["mlops.tuning_run"] == tuned.search.run_id
    assert logged["tags"]["mlops.tuned_by"] == "r1"


class OnlyTheTrainingPart:
    """Datasets that hand nobody a holdout."""

    def __init__(self, real) -> None:
        self._real = real
        self.loaded: list[str] = []

    def load(self, dataset, part):
        self.loaded.append(part)
        assert part == "train", f"the search loaded the part {part!r}"
        return self._real.load(dataset, part)

    def __getattr__(self, name):
        raise AssertionError(f"the search called datasets.{name}")


def test_the_holdout_is_never_loaded(tuned_config, make_run, backends):
    run = make_run(40)
    found = taken(tuned_config, run, backends)
    backends.datasets = only = OnlyTheTrainingPart(backends.datasets)
    tune_search(SearchRequest(tuned_config, run, found, 0), backends)
    tune_choose(DatasetRequest(tuned_config, run, found), backends)
    assert only.loaded == ["train"]


def test_a_retry_of_a_search_that_is_over_fits_nothing_again(tuned_config, make_run, backends, monkeypatch):
    run = make_run(40)
    search(tuned_config, run, backends)
    chosen = choose(tuned_config, run, backends)
    monkeypatch.setattr("airflow_mlops.steps.tune_search.fit", None)
    assert search(tuned_config, run, backends).trials == 0
    assert choose(tuned_config, run, backends) == chosen
    assert len([one for one in backends.ledger.entries("churn") if one.kind == "tuned"]) == 1


def test_more_trials_go_on_where_the_search_stopped(make_config, make_run, backends):
    run = make_run(40)
    search(make_config(), run, backends)
    more = search(make_config(**{"trials: 6": "trials: 8"}), run, backends)
    assert more.trials == 2
    assert len(the_search(backends)["trials"]) == 8


def test_other_code_begins_another_search(tuned_config, make_run, backends):
    run = make_run(40)
    search(tuned_config, replace(run, code_version="before"), backends)
    assert search(tuned_config, replace(run, code_version="after"), backends).trials == 6


def test_an_interrupted_search_ends_as_an_uninterrupted_one(make_config, make_run, backends):
    def params(run_id: str) -> list[object]:
        found = backends.tracking.searches
        (mine,) = (one for name, one in found.items() if f"|{run_id}|" in name)
        return [trial.params for _, trial in sorted(mine["trials"].items())]

    once = make_run(40, run_id="once")
    search(make_config(**{"trials: 6": "trials: 12"}), once, backends)
    again = make_run(40, run_id="again")
    search(make_config(**{"trials: 6": "trials: 4"}), again, backends)
    search(make_config(**{"trials: 6": "trials: 12"}), again, backends)
    assert params("once") == params("again")


BAD = "    solver: {type: categorical, choices: [lbfgs, no_such_solver]}\n"


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(make_config, make_run, backends):
    config = make_config(TUNING.replace("trials: 6", "trials: 12") + BAD)
    run = make_run(40)
    search(config, run, backends)
    tuned = choose(config, run, backends)
    failed = [one for one in the_search(backends)["trials"].values() if one.state == "failed"]
    assert failed
    assert all(one.params["solver"] == "no_such_solver" for one in failed)
    assert "solver" in failed[0].reason
    assert tuned.params["solver"] == "lbfgs"
    assert sum(tuned.trials.values()) == 12


def test_a_search_of_which_every_trial_fails_stops_early_and_says_why(make_config, make_run, backends):
    config = make_config(
        """\
tuning:
  metric: roc_auc
  trials: 40
  space: {depht: {type: int, low: 1, high: 9}}
"""
    )
    run = make_run(40)
    done = search(config, run, backends)
    assert done.trials == 5
    assert done.stopped == "the first 5 trials failed"
    with pytest.raises(TrainingFailed, match=r"\(trials: 5 failed\)\. trial 0: .*no parameter 'depht'"):
        choose(config, run, backends)
    assert the_search(backends)["ended"] == "failed"


def test_a_bad_trial_is_pruned_after_a_fold_and_not_chosen(make_config, make_run, backends):
    config = make_config(
        """\
tuning:
  metric: log_loss
  trials: 12
  sampler: random
  folds: {type: rolling_origin, folds: 2}
  space: {C: {type: float, low: 1.0e-9, high: 10.0, log: true}}
"""
    )
    run = make_run(40)
    search(config, run, backends)
    tuned = choose(config, run, backends)
    pruned = [one for one in the_search(backends)["trials"].values() if one.state == "pruned"]
    assert pruned
    assert all(len(one.folds) == 1 for one in pruned)
    assert all(one.value > tuned.value for one in pruned)
    assert pruned[0].reason.startswith("worse than others after fold")


def test_the_time_is_looked_at_between_folds(make_config, make_run, backends):
    config = make_config(TUNING + "  minutes: 5\n")
    tuning = config.tuning.model_copy(update={"folds": KFolds(type="k_fold")})
    config = config.model_copy(update={"tuning": tuning})
    run = make_run(40)
    search(config, run, backends, clock=lambda: datetime.now(timezone.utc) + timedelta(minutes=6))
    reasons = {trial.reason for trial in the_search(backends)["trials"].values()}
    assert reasons == {"the search's time was over after fold 1"}
    with pytest.raises(TrainingFailed, match=r"before any trial came to its last fold .* tuning\.minutes"):
        choose(config, run, backends)


def test_rows_that_cannot_be_split_are_refused_before_any_trial(make_config, make_run, backends, root):
    import pandas as pd

    path = root / "rows" / "all.parquet"
    rows = pd.read_parquet(path)
    # One moment before the holdout cannot be cut in two.
    rows["at"] = rows["at"].where(rows["at"] >= rows["at"].min() + pd.Timedelta(days=30), rows["at"].min())
    rows.to_parquet(path)
    with pytest.raises(DataRefused, match=r"has no rows to train on .* ask for fewer"):
        search(make_config(), make_run(40), backends)


def test_an_earlier_answer_is_used_until_it_is_too_old(make_config, make_run, backends):
    config = make_config(TUNING + "  every: 7 days\n")
    monday, later, much_later = (make_run(day, run_id=f"day {day}") for day in (40, 43, 47))
    search(config, monday, backends)
    first = choose(config, monday, backends)
    idle = search(config, later, backends)
    assert (idle.trials, idle.search) == (0, None)
    assert idle.stopped == "run day 40 searched 3 days before"
    again = choose(config, later, backends)
    assert (again.params, again.searched_by) == (first.params, "day 40")
    assert b"until then its answer is used again" in backends.store.get(
        "reports/churn.train/day_43/tuning.html"
    )
    assert search(config, much_later, backends).trials == 6
    assert choose(config, much_later, backends).searched_by == "day 47"


def test_a_search_that_was_begun_is_not_dropped_for_an_earlier_answer(make_config, make_run, backends):
    config = make_config(TUNING + "  every: 7 days\n")
    early, late = make_run(40, run_id="early"), make_run(43, run_id="late")
    search(config, late, backends)
    search(config, early, backends)
    choose(config, early, backends)
    assert choose(config, late, backends).searched_by == "late"


def test_another_space_is_searched_although_an_answer_is_young(make_config, make_run, backends):
    text = TUNING + "  every: 30 days\n"
    search(make_config(text), make_run(40, run_id="r1"), backends)
    choose(make_config(text), make_run(40, run_id="r1"), backends)
    assert search(
        make_config(text, **{"high: 10.0": "high: 20.0"}), make_run(41, run_id="r2"), backends
    ).trials


def test_the_page_shows_the_best_the_trials_and_how_it_went(make_config, make_run, backends):
    run = make_run(40)
    config = make_config(TUNING.replace("trials: 6", "trials: 12"))
    search(config, run, backends)
    tuned = choose(config, run, backends)
    page = backends.store.get("reports/churn.train/r1/tuning.html").decode()
    assert tuned.report.uri.endswith("tuning.html")
    assert f"log_loss {tuned.value:.4f}" in page
    assert page.count("<circle") == tuned.trials["complete"]
    assert "What the metric hangs on" in page
    assert "<script" not in page


def test_a_space_that_the_training_code_does_not_know_fails_the_preflight(make_config, make_run, backends):
    run = make_run(40)
    good, bad = make_config(), make_config(**{"    C:": "    CC:"})
    done = sample_run(DatasetRequest(good, run, taken(good, run, backends)), backends)
    assert done.kind == "sample_run"
    assert backends.tracking.searches == {}, "a trial run keeps nothing"
    with pytest.raises(
        PreflightFailed, match=r"search for parameters fails on a sample .* no parameter 'CC'"
    ):
        sample_run(DatasetRequest(bad, run, taken(bad, run, backends)), backends)


def test_the_chosen_model_can_be_evaluated_as_any_other(tuned_config, make_run, backends):
    run = make_run(40)
    search(tuned_config, run, backends)
    tuned = choose(tuned_config, run, backends)
    found = taken(tuned_config, run, backends)
    trained = train(TrainRequest(tuned_config, run, found, tuned), backends)
    assert (
        evaluate(EvaluateRequest(tuned_config, run, found, trained), backends).challenger["roc_auc"].value
        > 0.7
    )


# Workers that are processes, as Airflow's are.

GUESS = """\
import os, pathlib, time
import numpy as np

class Guess:
    def __init__(self, share):
        self.share = share
    def predict(self, rows):
        return np.zeros(len(rows))
    def predict_proba(self, rows):
        return np.tile([1 - self.share, self.share], (len(rows), 1))

def train(features, label, params, seed):
    fits = pathlib.Path(os.environ["FITS"])
    with fits.open("a") as file:
        file.write(f"{params['share']!r}\\n")
    time.sleep(0.01)
    while fits.with_name("hold").exists():
        time.sleep(0.01)
    return Guess(params["share"])
"""

PROCESSES = """\
tuning:
  metric: log_loss
  trials: 7
  parallel: 3
  pruner: none
  folds: {type: rolling_origin, folds: 3}
  space: {share: {type: float, low: 0.1, high: 0.9}}
"""


@pytest.fixture
def processes(make_config, make_run, backends, tmp_path, monkeypatch):
    """Workers in processes of their own, whose training writes down each fit and waits where it is told."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "guess.py").write_text(GUESS)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    (tmp_path / "fits").touch()
    config = make_config(PROCESSES)
    training = config.training.model_copy(update={"callable": "guess:train", "estimator": None})
    run = replace(make_run(40), code_version="1")
    made = Processes(config.model_copy(update={"training": training}), run, backends, tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.join()
    sys.modules.pop("guess", None)


class Processes:
    def __init__(self, config, run, backends, folder: Path) -> None:
        self.config, self.run, self.backends = config, run, backends
        self.snapshot = taken(config, run, backends)
        self.hold, self._fits, self._folder = folder / "hold", folder / "fits", folder
        self.started: list[multiprocessing.Process] = []

    def start(self, worker: int) -> multiprocessing.Process:
        """Forked, so that it need not import everything again."""
        process = multiprocessing.get_context("fork").Process(target=self._work, args=(worker,))
        process.start()
        self.started.append(process)
        return process

    def _work(self, worker: int) -> None:
        backends = type(self.backends)(Path(self.backends.store.root))
        done = tune_search(SearchRequest(self.config, self.run, self.snapshot, worker), backends)
        (self._folder / f"done{worker}").write_text(json.dumps([done.trials, done.stopped]))

    def ended(self, worker: int, process) -> tuple[int, str]:
        process.join(60)
        assert process.exitcode == 0
        trials, stopped = json.loads((self._folder / f"done{worker}").read_text())
        return trials, stopped

    def wait_for_fits(self, count: int) -> None:
        until = time.monotonic() + 60
        while len(self._fits.read_text().split()) < count:
            assert time.monotonic() < until, "no worker came to a fit"
            assert any(process.is_alive() for process in self.started), "the worker ended"
            time.sleep(0.005)

    def journal(self) -> Path:
        (path,) = (Path(self.backends.store.root) / "tuning").rglob("*.journal")
        return path

    def trials(self):
        return study_of(self.config, self.run, self.snapshot, self.backends).trials()


def kill(process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_workers_at_the_same_time_share_one_budget(processes):
    started = [processes.start(worker) for worker in range(3)]
    done = [processes.ended(worker, process)[0] for worker, process in enumerate(started)]
    trials = processes.trials()
    assert sum(done) == len(trials) == 7
    assert len({trial.params["share"] for trial in trials}) == 7, "nobody draws what another one drew"
    assert sum(count > 0 for count in done) > 1, "more than one found work"
    spans = sorted((trial.started, trial.ended) for trial in trials)
    assert any(one[1] > other[0] for one, other in pairwise(spans)), "at the same time"


def test_a_killed_worker_resumes_and_its_trial_is_tried_again(processes):
    first = processes.start(0)
    processes.wait_for_fits(4)  # a trial is three fits: one is over
    processes.hold.touch()
    time.sleep(0.1)  # for it to come to a fit that is held
    kill(first)
    processes.hold.unlink()
    over = {trial.number: trial for trial in processes.trials() if trial.state == "complete"}
    (left,) = (trial for trial in processes.trials() if trial.state == "running")
    with processes.journal().open("ab") as file:
        file.write(b'{"op_code": 4, "worker_')  # and it died in the middle of a line
    processes.ended(0, processes.start(0))
    trials = processes.trials()
    assert over
    assert trials[left.number].state == "lost"
    (again,) = (one for one in trials if one.attempt == 2)
    assert (again.params, again.state) == (left.params, "complete")
    assert {number: trials[number] for number in over} == over, "finished trials stay as they are"
    assert sum(trial.state != "lost" for trial in trials) == 7, "and the lost one counts for nothing"


def test_parameters_that_end_their_worker_twice_are_given_up(processes):
    processes.hold.touch()
    for tries in (1, 2):
        worker = processes.start(0)
        processes.wait_for_fits(tries)
        kill(worker)
    processes.hold.unlink()
    processes.ended(0, processes.start(0))
    lost, failed, *others = processes.trials()
    assert (lost.state, failed.state, failed.params) == ("lost", "failed", lost.params)
    assert failed.reason == "its worker died in it 2 times; out of memory?"
    assert {trial.state for trial in others} == {"complete"}
