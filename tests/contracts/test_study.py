"""What every study holds to: one search, many workers, and nothing told to it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_mlops.backends.base import Endpoints
from airflow_mlops.backends.catalog import PARTS, connect, load_part
from airflow_mlops.backends.study import Study
from airflow_mlops.core.tuning import Budget, Choices, FloatRange, IntRange, SearchPlan
from airflow_mlops.exceptions import MissingExtra, StoreUnavailable

PLAN = SearchPlan(
    space={
        "rate": FloatRange(0.001, 1.0, log=True),
        "depth": IntRange(2, 20, step=2),
        "layers": Choices(([64], [64, 32], None, True, 1)),
    },
    maximize=True,
    folds=2,
)
MANY = Budget(1_000)


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(params=["optuna"])
def open_study(tmp_path: Path) -> Callable[..., Study]:
    """``open_study(plan)``: as another process would open it."""

    def opened(plan: SearchPlan = PLAN) -> Study:
        return connect(Endpoints(store=str(tmp_path / "store"))).study("tuning/rain.train/r1/a.journal", plan)

    return opened


def tried(study: Study, value: float, worker: int = 0) -> Any:
    trial = study.ask(worker, MANY, now())
    assert trial is not None
    study.report(trial.number, value, now())
    study.report(trial.number, value, now())
    return study.tell(trial.number, "complete")


def test_what_is_asked_lies_in_the_space_as_json_has_it(open_study: Callable[..., Study]) -> None:
    study = open_study()
    study.begin(0, [])
    trials = [tried(study, 0.5) for _ in range(12)]
    assert all(trial.params[name] in kind for trial in trials for name, kind in PLAN.space.items())
    assert {type(trial.params["depth"]) for trial in trials} == {int}


def test_another_process_sees_what_was_told(open_study: Callable[..., Study]) -> None:
    study = open_study()
    study.begin(0, [])
    first = tried(study, 0.7)
    failed = study.ask(0, MANY, now())
    study.tell(failed.number, "failed", "no such solver")
    seen = open_study().trials()
    assert seen[0] == first
    assert (first.state, first.value, first.folds, first.worker) == ("complete", 0.7, (0.7, 0.7), 0)
    assert (seen[1].state, seen[1].reason) == ("failed", "no such solver")


def test_given_parameters_come_first_as_far_as_they_lie_in_the_space(
    open_study: Callable[..., Study],
) -> None:
    study = open_study()
    study.begin(0, [{"rate": 0.5, "depth": 7, "other": 1}, {"rate": 9.0}, {"layers": [64, 32]}])
    study.begin(1, [{"rate": 0.25}])
    one, two = (study.ask(0, MANY, now()) for _ in range(2))
    assert one.params["rate"] == 0.5
    assert one.params["depth"] != 7
    assert two.params["layers"] == [64, 32]
    assert len(study.trials()) == 2


def test_the_last_trial_of_the_budget_is_given_once(open_study: Callable[..., Study]) -> None:
    study, other = open_study(), open_study()
    study.begin(0, [])
    other.begin(1, [])
    assert study.ask(0, Budget(2), now()) is not None
    assert other.ask(1, Budget(2), now()) is not None
    assert study.ask(0, Budget(2), now()) is other.ask(1, Budget(2), now()) is None


def test_a_worker_that_begins_again_leaves_the_trials_of_others_alone(
    open_study: Callable[..., Study],
) -> None:
    study = open_study()
    study.begin(0, [])
    mine, theirs = study.ask(0, MANY, now()), study.ask(1, MANY, now())
    again = open_study()
    again.begin(0, [])
    states = {trial.number: trial.state for trial in again.trials()}
    assert states == {mine.number: "lost", theirs.number: "running"}
    next_one = again.ask(0, MANY, now())
    assert (next_one.params, next_one.attempt) == (mine.params, 2)


def test_how_a_trial_ended_first_is_how_it_ended(open_study: Callable[..., Study]) -> None:
    study = open_study()
    study.begin(0, [])
    trial = study.ask(0, MANY, now())
    open_study().begin(0, [])  # Airflow took the worker for dead
    assert study.tell(trial.number, "failed", "late").state == "lost"


def test_a_fold_far_below_the_others_is_not_worth_another(open_study: Callable[..., Study]) -> None:
    study = open_study()
    study.begin(0, [])
    for _ in range(6):
        tried(study, 0.8)
    bad, good = study.ask(0, MANY, now()), study.ask(0, MANY, now())
    assert study.report(bad.number, 0.2, now())
    assert not study.report(good.number, 0.9, now())


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_each_pruner_gives_up_as_it_says(open_study: Callable[..., Study], pruner: Any) -> None:
    study = open_study(SearchPlan(PLAN.space, maximize=True, folds=3, pruner=pruner))
    study.begin(0, [])
    for _ in range(9):
        trial = study.ask(0, MANY, now())
        for _ in range(3):
            study.report(trial.number, 0.8, now())
        study.tell(trial.number, "complete")
    bad = study.ask(0, MANY, now())
    given_up = [study.report(bad.number, 0.1, now()) for _ in range(3)]
    assert any(given_up) is (pruner == "hyperband")


def test_the_parameter_that_matters_has_the_larger_share(open_study: Callable[..., Study]) -> None:
    plan = SearchPlan(
        {"x": FloatRange(0, 1), "y": FloatRange(0, 1)}, maximize=False, folds=1, sampler="random"
    )
    study = open_study(plan)
    study.begin(0, [])
    assert study.importances() == {}
    for _ in range(20):
        trial = study.ask(0, MANY, now())
        study.report(trial.number, (trial.params["x"] - 0.5) ** 2, now())
        study.tell(trial.number, "complete")
    shares = study.importances()
    assert shares["x"] > shares["y"]
    assert sum(shares.values()) == pytest.approx(1)


def test_a_value_that_all_share_is_made_once(open_study: Callable[..., Study]) -> None:
    made = [open_study().remembered("run", lambda: "first"), open_study().remembered("run", lambda: "second")]
    assert made == ["first", "first"]


def test_half_a_line_that_a_dead_worker_left_is_cut_off(
    open_study: Callable[..., Study], tmp_path: Path
) -> None:
    study = open_study()
    study.begin(0, [])
    tried(study, 0.7)
    (journal,) = tmp_path.rglob("*.journal")
    with journal.open("ab") as file:
        file.write(b'{"op_code":8,"wor')
    again = open_study()
    again.begin(0, [])
    tried(again, 0.8)
    assert [trial.value for trial in open_study().trials()] == [0.7, 0.8]


def test_a_journal_that_cannot_be_written_is_told_with_its_path(
    open_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study()
    study.begin(0, [])

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreUnavailable, match=r"a\.journal cannot be used: .*No space left"):
        study.ask(0, MANY, now())


def test_a_missing_optuna_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PARTS["study.optuna"].libraries == ("optuna",)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"airflow-mlops\[tuning\]"):
        load_part("study.optuna")
