"""A hyperparameter search by Optuna, kept as a journal in the store's folder.

Workers share the journal file and nothing else. Whatever depends on what the others do (how many trials have
begun, which parameters come next, whose trial was left behind) is done under one lock, a symbolic link, which
NFS makes atomically as well. A worker that dies inside it holds the others up for half a minute.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, assert_never

from airflow_mlops.core.tuning import (
    MOST_ATTEMPTS,
    Budget,
    Choices,
    FloatRange,
    IntRange,
    Range,
    SearchPlan,
    Trial,
    TrialState,
)
from airflow_mlops.exceptions import StoreUnavailable

_NAME = "search"
_FEWEST_FOR_IMPORTANCES = 8
# Names of what is kept with a trial beside its parameters.
_WORKER, _ATTEMPT, _FOLDS, _SEEN, _REASON, _STATE = "worker", "attempt", "folds", "seen", "reason", "state"


class OptunaStudy:
    """One study in one journal file, which is made if it is not there."""

    def __init__(self, path: Path, plan: SearchPlan) -> None:
        self._path = path
        self._plan = plan
        self._asked: dict[int, Any] = {}

    def begin(self, worker: int, first: Sequence[Mapping[str, Any]]) -> None:
        """Ready for a worker, perhaps on a retry; see ``Study``."""
        with self._alone():
            if not self._study.get_trials(deepcopy=False):
                for params in first:
                    self._enqueue(params)
            self._recover(worker)

    def ask(self, worker: int, budget: Budget, now: datetime) -> Trial | None:
        """The next trial, or None where the budget is spent; no two workers get the last one."""
        with self._alone():
            self._recover(None)
            known = self._study.get_trials(deepcopy=False)
            if budget.spent([_as_trial(one) for one in known if _has_begun(one)], now) is not None:
                return None
            self._study.sampler = self._sampler(len(known))
            trial = self._study.ask(self._distributions)
            trial.set_user_attr(_WORKER, worker)
            self._asked[trial.number] = trial
            return _as_trial(self._frozen(trial.number))

    def report(self, number: int, value: float, now: datetime) -> bool:
        """The metric of the next fold. The last fold prunes nothing: then the trial is complete."""
        with self._told():
            trial = self._asked[number]
            folds = [*trial.user_attrs.get(_FOLDS, ()), float(value)]
            trial.set_user_attr(_FOLDS, folds)
            trial.set_user_attr(_SEEN, now.isoformat())
            trial.report(sum(folds) / len(folds), step=len(folds))
            return len(folds) < self._plan.folds and bool(trial.should_prune())

    def tell(self, number: int, state: TrialState, reason: str = "") -> Trial:
        """How the trial ended. One that is over already stays as it is: where Airflow took this process for
        dead, another may have it by now."""
        with self._alone():
            if not self._frozen(number).state.is_finished():
                self._end(number, state, reason)
            return _as_trial(self._frozen(number))

    def trials(self) -> list[Trial]:
        """Every trial that has begun, in order."""
        with self._told():
            return [_as_trial(one) for one in self._study.get_trials(deepcopy=False) if _has_begun(one)]

    def importances(self) -> dict[str, float]:
        """By PED-ANOVA (Watanabe, Bansal and Hutter 2023): milliseconds, and without scikit-learn."""
        import optuna

        complete = self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
        if len(complete) < _FEWEST_FOR_IMPORTANCES or len({trial.value for trial in complete}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a parameter that had one value only
            found = optuna.importance.get_param_importances(self._study)
        return {name: float(share) for name, share in found.items()}

    def remembered(self, name: str, make: Callable[[], str]) -> str:
        """A value that all workers share: the first of them makes it."""
        with self._alone():
            if (found := self._study.user_attrs.get(name)) is not None:
                return str(found)
            made = make()
            self._study.set_user_attr(name, made)
            return made

    @cached_property
    def _study(self) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._mend()
        journal = optuna.storages.journal.JournalFileBackend(str(self._path), self._lock("journal"))
        return optuna.create_study(
            study_name=_NAME,
            storage=optuna.storages.JournalStorage(journal),
            direction="maximize" if self._plan.maximize else "minimize",
            pruner=self._pruner(),
            load_if_exists=True,
        )

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        return {name: _distribution(kind) for name, kind in self._plan.space.items()}

    def _sampler(self, trials: int) -> Any:
        """Of the trial to come: with one seed for all workers they would draw the same, and with the number
        of trials in it a search that was interrupted goes on as it would have."""
        from optuna.samplers import RandomSampler, TPESampler

        seed = (self._plan.seed * 1_000_003 + trials) % 2**32
        if self._plan.sampler == "random":
            return RandomSampler(seed=seed)
        # A running trial counts as a bad one, so that workers do not all look in the same place.
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)

    def _pruner(self) -> Any:
        from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

        match self._plan.pruner:
            case "median":
                return MedianPruner(n_startup_trials=5)
            case "hyperband":
                return HyperbandPruner(min_resource=1, max_resource=self._plan.folds, reduction_factor=3)
            case "none":
                return NopPruner()

    def _recover(self, worker: int | None) -> None:
        """What an earlier try of a worker left running, and trials that nobody has: the lock is ours, so
        whoever was taking one is dead."""
        import optuna

        for left in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            holder = left.user_attrs.get(_WORKER)
            if left.number in self._asked or holder not in (None, worker):
                continue
            attempt = int(left.user_attrs.get(_ATTEMPT, 1))
            if attempt >= MOST_ATTEMPTS:
                self._end(left.number, "failed", f"its worker died in it {attempt} times; out of memory?")
                continue
            self._end(left.number, "lost", "its worker died")
            if params := left.params or left.system_attrs.get("fixed_params"):
                self._study.enqueue_trial(dict(params), user_attrs={_ATTEMPT: attempt + 1})

    def _enqueue(self, params: Mapping[str, Any]) -> None:
        inside = {
            name: _kept(kind, params[name])
            for name, kind in self._plan.space.items()
            if name in params and params[name] in kind
        }
        if inside:
            self._study.enqueue_trial(inside, skip_if_exists=True)

    def _end(self, number: int, state: TrialState, reason: str) -> None:
        import optuna

        trial_id = self._frozen(number)._trial_id
        self._study._storage.set_trial_user_attr(trial_id, _STATE, state)
        if reason:
            self._study._storage.set_trial_user_attr(trial_id, _REASON, reason[:2_000])
        if state == "complete":
            folds = self._frozen(number).user_attrs[_FOLDS]
            self._study.tell(number, sum(folds) / len(folds))
        else:
            states = optuna.trial.TrialState
            self._study.tell(number, state=states.PRUNED if state == "pruned" else states.FAIL)
        self._asked.pop(number, None)

    def _frozen(self, number: int) -> Any:
        return self._study.get_trials(deepcopy=False)[number]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else asks, ends or begins meanwhile. The journal has a lock of its own, held for a line."""
        lock = self._lock("search")
        with self._told():
            lock.acquire()
            try:
                yield
            finally:
                lock.release()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(
                f"the journal of the search {self._path} cannot be used: {error}. Check that the disk is "
                "there, writable and not full, then retry."
            ) from error

    def _lock(self, what: str) -> Any:
        from optuna.storages.journal import JournalFileSymlinkLock

        return JournalFileSymlinkLock(str(self._path.with_name(f".{self._path.name}.{what}")))

    def _mend(self) -> None:
        """Cut off half a line at the end: a worker that was killed, or a disk that was full, while it was
        written. The next line would be glued to it, and the journal could not be read any more."""
        lock = self._lock("journal")
        lock.acquire()
        try:
            with self._path.open("r+b") as file:
                body = file.read()
                if body and not body.endswith(b"\n"):
                    file.truncate(body.rfind(b"\n") + 1)
                    os.fsync(file.fileno())
        finally:
            lock.release()


def _has_begun(frozen: Any) -> bool:
    return str(frozen.state.name) != "WAITING"


def _distribution(kind: Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match kind:
        case FloatRange():
            return FloatDistribution(kind.low, kind.high, log=kind.log, step=kind.step)
        case IntRange():
            return IntDistribution(kind.low, kind.high, log=kind.log, step=kind.step)
        case Choices():
            return CategoricalDistribution([_kept(kind, value) for value in kind.values])
        case _:
            assert_never(kind)


def _kept(kind: Range, value: Any) -> Any:
    """Choices are kept as JSON text: Optuna takes no lists, and holds true and 1 for the same."""
    return json.dumps(value, sort_keys=True) if isinstance(kind, Choices) else value


def _as_trial(frozen: Any) -> Trial:
    from optuna.distributions import CategoricalDistribution

    told = frozen.user_attrs
    state: TrialState = told.get(_STATE, "running") if frozen.state.is_finished() else "running"
    ended = frozen.datetime_complete
    if state == "lost":
        seen = told.get(_SEEN)
        ended = datetime.fromisoformat(seen) if seen else frozen.datetime_start
    return Trial(
        number=frozen.number,
        state=state,
        params={
            name: json.loads(value)
            if isinstance(frozen.distributions[name], CategoricalDistribution)
            else value
            for name, value in frozen.params.items()
        },
        folds=tuple(told.get(_FOLDS, ())),
        reason=told.get(_REASON, ""),
        started=_utc(frozen.datetime_start),
        ended=_utc(ended),
        worker=told.get(_WORKER),
        attempt=int(told.get(_ATTEMPT, 1)),
    )


def _utc(moment: datetime | None) -> datetime | None:
    """Optuna's own times are naive, in the zone of the machine."""
    return None if moment is None else moment.astimezone(timezone.utc)
