"""What a ledger entry is, and the questions that are answered from a list of entries.

The ledger is append-only. An entry's id is derived from what it is about, so that writing it again
on a retry changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from airflow_mlops.core.identity import content_hash
from airflow_mlops.core.windows import Window

EntryKind = Literal[
    "retrain_requested",
    "retrain_refused",
    "retrain_taken",
    "training_begun",
    "tuned",
    "gated",
    "overridden",
    "registered",
    "rollout_taken",
    "smoke_served",
    "answer_refused",
    "approved",
    "declined",
    "rejected",
    "shadowed",
    "canary_step",
    "promotion_intended",
    "promoted",
    "rollback_intended",
    "rolled_back",
    "reversal_intended",
    "reversed",
    "reversal_refused",
    "monitored",
    "rescored",
    "alerted",
    "cause_found",
    "cause_taken",
    "cause_checked",
    "validated",
    "failed",
    "recovered",
    "stopped",
    "healing_intended",
    "healed",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision: who, what, why and on what evidence.

    ``subject`` is what the entry is about: a request's id, a cause (see ``core.causes``), or a model version
    (a rollout's entries all have the version that is rolled out; a reversal's the earlier champion that is
    put back, and ``data.previous`` the version that is taken out). ``stage`` tells apart entries of one kind
    about one subject in one run (``0.1`` for a canary step). ``data`` holds small JSON values.
    """

    model: str
    kind: EntryKind
    subject: str
    at: datetime
    dag_id: str
    run_id: str
    stage: str = ""
    actor: str = "airflow"
    version: str | None = None
    reasons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    window: Window | None = None
    data_version: str | None = None
    code_version: str | None = None
    config_digest: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Stable over retries. A claim (``*_taken``) leaves the run out, so only one run can hold it."""
        if self.kind in CLAIMS:
            return f"{self.kind}-{content_hash([self.model, self.subject])[:16]}"
        about = [self.model, self.subject, self.stage, self.dag_id, self.run_id]
        return f"{self.kind}-{content_hash(about)[:16]}"


CLAIMS: frozenset[str] = frozenset({"retrain_taken", "rollout_taken", "cause_taken"})
CLOSINGS: frozenset[str] = frozenset({"promoted", "rolled_back", "rejected"})
CROWNINGS: frozenset[str] = frozenset({"promoted", "reversed"})
"""Kinds of which the subject is the champion from then on."""


def pending_requests(entries: Iterable[Entry]) -> list[Entry]:
    """Retraining requests that no run has taken, oldest first."""
    return _untaken(entries, "retrain_requested", "retrain_taken")


def pending_challengers(entries: Iterable[Entry]) -> list[Entry]:
    """Registered challengers that no rollout has taken, oldest first. Backfill versions never count, nor
    does a version that somebody took out: it was the champion, whoever made it that.
    """
    entries = list(entries)
    out = {entry.data.get("previous") for entry in entries if entry.kind == "reversed"}
    return [
        entry
        for entry in _untaken(entries, "registered", "rollout_taken")
        if entry.data.get("role") == "challenger" and entry.subject not in out
    ]


def open_rollout(entries: Iterable[Entry]) -> Entry | None:
    """The ``rollout_taken`` entry of the oldest rollout that is open."""
    return next(iter(open_rollouts(entries)), None)


def open_rollouts(entries: Iterable[Entry]) -> list[Entry]:
    """The ``rollout_taken`` entries of rollouts that nothing has closed, oldest first; more than one only
    where two runs were at it at once.

    A version is taken once, so whatever ended it ended it for good; the time stamps are not asked, since
    a retry or another machine's clock may put them in the wrong order.
    """
    ordered = in_order(entries)
    ended = {entry.subject for entry in ordered if entry.kind in CLOSINGS}
    return [entry for entry in ordered if entry.kind == "rollout_taken" and entry.subject not in ended]


def closings(entries: Iterable[Entry], version: str) -> set[EntryKind]:
    """How the rollout of a version ended; empty while it is open, or was never begun."""
    return {entry.kind for entry in entries if entry.subject == version and entry.kind in CLOSINGS}


def rollout_end(
    entries: Iterable[Entry], version: str | None = None, since: datetime | None = None
) -> Entry | None:
    """How the rollout of a version ended; without one, how the first rollout did that ended at ``since`` or
    later. None where it has not. A version that was superseded before it was rolled out is only told of where
    it is asked for."""
    kinds = CLOSINGS if version is not None else CLOSINGS - {"rejected"}
    for entry in in_order(entries):
        is_it = entry.subject == version if version is not None else since is None or entry.at >= since
        if entry.kind in kinds and is_it:
            return entry
    return None


def champion_at(entries: Iterable[Entry], moment: datetime | None = None) -> Entry | None:
    """The ``promoted`` or ``reversed`` entry in force at ``moment`` (now, if None)."""
    reigns = [
        entry
        for entry in in_order(entries)
        if entry.kind in CROWNINGS and (moment is None or entry.at <= moment)
    ]
    return reigns[-1] if reigns else None


def crowning_moment(entries: Iterable[Entry], now: datetime) -> datetime:
    """When a version that is made champion now begins to be that: after the reign that it follows, if only by
    a tick. A task stamps its entries with its own start, so two crownings may tie, or come out in the wrong
    order by the clocks of two machines; then the ledger would call the one that was replaced the champion.
    """
    reign = champion_at(entries)
    return now if reign is None else max(now, reign.at + timedelta.resolution)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Oldest first; of entries with one time stamp, an intent comes before what became of it."""
    return sorted(entries, key=_order)


def _untaken(entries: Iterable[Entry], asked: EntryKind, taken: EntryKind) -> list[Entry]:
    entries = list(entries)
    gone = {entry.subject for entry in entries if entry.kind == taken}
    wanted: Sequence[Entry] = [entry for entry in entries if entry.kind == asked]
    return in_order(entry for entry in wanted if entry.subject not in gone)


def _order(entry: Entry) -> tuple[datetime, int, str]:
    # A step stamps all its entries with the moment it started: an intent and what came of it tie.
    return entry.at, get_args(EntryKind).index(entry.kind), entry.id
