"""What became of every training, whatever it was for: read off the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from airflow_mlops.core.ledger import CLOSINGS, Entry, in_order, open_rollouts
from airflow_mlops.core.retraining.policy import CHANGED, Cause, Policy

_OF_A_TRAINING = frozenset({"training_begun", "gated", "registered"})
State = Literal["asked", "under_way", "held", "rolling_out", "rolled_back", "superseded", "promoted"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of monitoring, and what would have been trained then. ``gone`` says whether its cause was
    seen again since; None: not known yet."""

    id: str
    cause: Cause
    end: datetime
    gone: bool | None = None
    code: str | None = None
    recipe: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """One training. ``end`` is that of its data, in event time; ``run`` is empty while it is only asked for.

    ``asked`` are the requests that it answers. ``code`` and ``recipe`` say what it was made with, where they
    are known.
    """

    end: datetime
    state: State
    causes: tuple[Cause, ...] = ()
    run: tuple[str, str] | None = None
    version: str | None = None
    asked: tuple[Asked, ...] = ()
    code: str | None = None
    recipe: str | None = None

    @property
    def is_automatic(self) -> bool:
        """Whether monitoring asked for it."""
        return bool(self.asked)

    def helped(self, policy: Policy, now: datetime) -> bool | None:
        """Whether an automatic training did any good, as of ``now`` in event time; None where nobody knows.

        It did not where its challenger was held or rolled back, where it came to nothing, and where its cause
        was still there after its promotion. One that a newer challenger overtook is no evidence.
        """
        if not self.asked:
            return None
        match self.state:
            case "held" | "rolled_back":
                return False
            case "under_way":
                return None if is_under_way(self, policy, now) else False
            case "promoted":
                seen = [one.gone for one in self.asked]
                return False if False in seen else None if None in seen else True
            case _:
                return None


@dataclass(frozen=True, slots=True)
class OpenRollout:
    """A version that is being rolled out, by which run of which DAG, and when the ledger heard of it last, by
    the clock on the wall."""

    version: str
    dag_id: str
    run_id: str
    heard: datetime


@dataclass(frozen=True, slots=True)
class History:
    """All trainings, in the order of their data, and the rollout that is open."""

    trainings: tuple[Training, ...] = ()
    rollout: OpenRollout | None = None

    @property
    def last(self) -> Training | None:
        """The training on the newest data, or the one that is asked for."""
        return self.trainings[-1] if self.trainings else None

    def checked(self, gone: Mapping[str, bool]) -> History:
        """A copy in which these requests' causes are known to be gone, or still there."""

        def seen(one: Asked) -> Asked:
            return replace(one, gone=gone.get(one.id, one.gone))

        trainings = (replace(one, asked=tuple(map(seen, one.asked))) for one in self.trainings)
        return replace(self, trainings=tuple(trainings))

    @property
    def requests(self) -> tuple[Asked, ...]:
        """Every request of monitoring, each once."""
        found = {one.id: one for training in self.trainings for one in training.asked}
        return tuple(found.values())


def is_under_way(training: Training, policy: Policy, now: datetime) -> bool:
    """Whether it may still come to a verdict: it has none yet, and is not older than people are patient."""
    return training.state == "under_way" and now < policy.patience.after(training.end)


def came_to_nothing(training: Training, policy: Policy, now: datetime) -> bool:
    """Whether its run ended without a verdict, as far as anybody can tell: it failed, or was killed or
    deleted."""
    return training.state == "under_way" and not is_under_way(training, policy, now)


def useless_in_a_row(policy: Policy, history: History, now: datetime) -> list[Training]:
    """The newest automatic trainings that did not help, newest first, up to one that did, or to one that a
    person had a hand in: by hand, or with other code or another configuration."""
    found: list[Training] = []
    for training in reversed(history.trainings):
        if "by_hand" in training.causes or CHANGED & set(training.causes):
            break
        helped = training.helped(policy, now)
        if helped:
            break
        if helped is False:
            found.append(training)
    return found


def history_of(entries: Iterable[Entry], without: str | None = None) -> History:
    """The history that the ledger tells. ``without`` is a request that never was: on a retry, the caller's
    own first try. Backfills train versions that never serve, and do not count."""
    entries = in_order(entries)
    checks = {item.subject: bool(item.data["gone"]) for item in entries if item.kind == "cause_checked"}
    asked = {
        item.subject: _asked(item, checks.get(item.subject))
        for item in entries
        if item.kind == "retrain_requested" and item.window is not None
    }
    taken: dict[tuple[str, str], list[str]] = {}
    for item in entries:
        if item.kind == "retrain_taken" and item.subject in asked:
            taken.setdefault((item.dag_id, item.run_id), []).append(item.subject)
    trainings = [
        _training(run, of_run, [asked[one] for one in taken.get(run, ())])
        for run, of_run in _by_run(entries, taken).items()
    ]
    waiting = set(asked) - {one for ids in taken.values() for one in ids}
    trainings += [_waiting(asked[one]) for one in waiting]
    kept = (one for one in trainings if without is None or without not in {ask.id for ask in one.asked})
    return History(
        tuple(sorted(kept, key=lambda one: (one.end, one.run or ("", "")))), _open_rollout(entries)
    )


def _open_rollout(entries: Sequence[Entry]) -> OpenRollout | None:
    taken = next(iter(open_rollouts(entries)), None)
    if taken is None:
        return None
    heard = max(item.at for item in entries if item.subject == taken.subject)
    return OpenRollout(taken.subject, taken.dag_id, taken.run_id, heard)


def _end(item: Entry) -> datetime:
    """The end of the data that an entry is about. A window may end after the entry was written, where a
    person or a partition key says so; no row can have come by then, and it would count until that day."""
    return item.at if item.window is None else min(item.window.end, item.at)


def _waiting(one: Asked) -> Training:
    return Training(one.end, "asked", (one.cause,), asked=(one,), code=one.code, recipe=one.recipe)


def _asked(item: Entry, gone: bool | None) -> Asked:
    cause: Cause = item.data.get("cause") or "drift"
    return Asked(
        item.subject,
        cause,
        _end(item),
        gone=gone,
        code=item.data.get("code"),
        recipe=item.data.get("recipe"),
    )


def _by_run(
    entries: Sequence[Entry], taken: Mapping[tuple[str, str], object]
) -> dict[tuple[str, str], list[Entry]]:
    """The entries of every run that trained, in the order in which the runs began."""
    backfills = {(item.dag_id, item.run_id) for item in entries if _is_backfill(item)}
    found: dict[tuple[str, str], list[Entry]] = {}
    for item in entries:
        run = (item.dag_id, item.run_id)
        if item.kind in _OF_A_TRAINING and run not in backfills:
            found.setdefault(run, []).append(item)
    for run in taken:
        found.setdefault(run, [])
    endings = [item for item in entries if item.kind in CLOSINGS]
    return {run: [*of_run, *_endings(of_run, endings)] for run, of_run in found.items()}


def _is_backfill(item: Entry) -> bool:
    return item.data.get("run_kind") == "backfill" or item.data.get("role") == "backfill"


def _endings(of_run: Sequence[Entry], endings: Sequence[Entry]) -> list[Entry]:
    """How the rollouts of the versions ended that a run has registered."""
    versions = {item.subject for item in of_run if item.kind == "registered"}
    return [item for item in endings if item.subject in versions]


def _training(run: tuple[str, str], of_run: Sequence[Entry], asked: Sequence[Asked]) -> Training:
    begun = next((item for item in of_run if item.kind == "training_begun"), None)
    registered = next((item for item in of_run if item.kind == "registered"), None)
    own = (_end(item) for item in of_run if item.kind in _OF_A_TRAINING and item.window is not None)
    ends = [*own, *(one.end for one in asked)]
    said = begun.data.get("causes", ()) if begun is not None else ()
    causes = tuple(cause for cause in get_args(Cause) if cause in {*said, *(one.cause for one in asked)})
    return Training(
        end=max(ends) if ends else of_run[0].at,
        state=_state(of_run, registered),
        causes=causes,
        run=run,
        version=registered.subject if registered is not None else None,
        asked=tuple(asked),
        code=_last_said("code", of_run) or next((one.code for one in reversed(asked) if one.code), None),
        recipe=_last_said("recipe", of_run)
        or next((one.recipe for one in reversed(asked) if one.recipe), None),
    )


def _last_said(what: str, of_run: Sequence[Entry]) -> str | None:
    found = [item.data[what] for item in of_run if item.data.get(what)]
    return found[-1] if found else None


def _state(of_run: Sequence[Entry], registered: Entry | None) -> State:
    kinds = {item.kind for item in of_run}
    if registered is None:
        gated = [item for item in of_run if item.kind == "gated"]
        return "held" if gated and gated[-1].data.get("outcome") != "pass" else "under_way"
    # Promoted for good goes before what came of a run that was cleared.
    if "promoted" in kinds:
        return "promoted"
    if "rolled_back" in kinds:
        return "rolled_back"
    return "superseded" if "rejected" in kinds else "rolling_out"
