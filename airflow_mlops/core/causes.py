"""Causes: what somebody found about a model, and who has taken it to act on it.

An asset event only wakes a DAG: Airflow merges events that come close together, and a paused DAG gets none.
So each cause stands in the ledger, and each consumer takes each cause once, by a claim that one run alone can
hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from airflow_mlops.core.ledger import Entry, EntryKind, in_order
from airflow_mlops.core.windows import Window

FoundCause = Literal["drift", "decay"]
"""What monitoring finds in a window."""

TakenCause = Literal["drift", "decay", "retrain"]
"""What stands in the ledger to be taken. ``retrain`` is a request that the retraining policy made."""

CauseName = Literal["drift", "decay", "retrain", "new_data", "age"]


@dataclass(frozen=True, slots=True)
class CauseEvent:
    """A cause as it goes into asset events, XCom and the ledger: small, and without a value of anybody's row.

    ``subject`` names it: the same cause found twice has one subject. ``version`` is the model version that it
    is about, ``reports`` are the pages that tell all. ``features`` and ``slices`` moved, or got worse, the
    worst first; ``scores`` are in the method's own unit by feature, or values of a metric by its name.
    """

    model: str
    cause: CauseName
    subject: str
    at: datetime
    window: Window | None = None
    version: str | None = None
    reports: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Causes:
    """Causes of one model, oldest first, and all their ``reasons``, each once."""

    model: str
    causes: tuple[CauseEvent, ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, model: str, causes: Iterable[CauseEvent]) -> Causes:
        """With the reasons that the causes have."""
        causes = tuple(causes)
        reasons = dict.fromkeys(reason for cause in causes for reason in cause.reasons)
        return cls(model, causes, tuple(reasons))


@dataclass(frozen=True, slots=True)
class Taker:
    """A run that takes causes for a consumer, which is its DAG unless somebody says otherwise."""

    consumer: str
    dag_id: str
    run_id: str
    at: datetime

    def holds(self, claim: Entry) -> bool:
        """Whether this run made the claim, now or in an earlier try."""
        return (claim.dag_id, claim.run_id) == (self.dag_id, self.run_id)


ABOUT_CAUSES: tuple[EntryKind, ...] = ("cause_found", "retrain_requested", "cause_taken", "retrain_taken")
"""Kinds of entries that say what was found and who took it."""


def found_subject(cause: FoundCause, version: str, window: Window) -> str:
    """One name for what was found in a window about a version, however often the window is looked at."""
    return f"{cause} of version {version} in {window.start.isoformat()}/{window.end.isoformat()}"


def known_causes(
    entries: Iterable[Entry], causes: Collection[TakenCause], since: datetime | None = None
) -> list[CauseEvent]:
    """Every cause of these kinds that was found at ``since`` or later, oldest first and each subject once."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=timezone.utc)  # as Airflow reads the dates of a DAG
    by_subject: dict[str, CauseEvent] = {}
    for entry in in_order(entries):
        event = _event(entry)
        if event is not None and event.cause in causes and (since is None or event.at >= since):
            by_subject.setdefault(event.subject, event)
    return list(by_subject.values())


def pending_causes(
    entries: Iterable[Entry],
    causes: Collection[TakenCause],
    consumer: str,
    since: datetime | None = None,
) -> list[CauseEvent]:
    """Those that no run of the consumer has taken, oldest first."""
    entries = list(entries)
    taken = claims_by_id(entries)
    return [event for event in known_causes(entries, causes, since) if claim_id(event, consumer) not in taken]


def claim_of(event: CauseEvent, taker: Taker) -> Entry:
    """The entry by which a run takes a cause. Its id leaves the run out, so that one run alone can hold it.

    A retraining request has one taker in all: whoever takes it trains. Any other cause is taken once by each
    consumer. The claim carries the cause, so that a retry of the run finds what it took.
    """
    is_request = event.cause == "retrain"
    return Entry(
        model=event.model,
        kind="retrain_taken" if is_request else "cause_taken",
        subject=event.subject if is_request else f"{event.subject}, by {taker.consumer}",
        at=taker.at,
        dag_id=taker.dag_id,
        run_id=taker.run_id,
        version=event.version,
        reasons=event.reasons,
        evidence=event.reports,
        window=event.window,
        data={}
        if is_request
        else {"consumer": taker.consumer, "at": event.at.isoformat(), **cause_data(event)},
    )


def claim_id(event: CauseEvent, consumer: str) -> str:
    """The id of the claim on a cause, whichever run makes it."""
    return claim_of(event, Taker(consumer, "", "", event.at)).id


def claims_by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Every claim on a cause."""
    return {entry.id: entry for entry in entries if entry.kind in ("cause_taken", "retrain_taken")}


def held_by(
    entries: Sequence[Entry],
    cause: CauseName,
    taker: Taker,
    is_own: Callable[[CauseEvent], bool] = lambda _: True,
) -> CauseEvent | None:
    """What an earlier try of this run has taken already, of a cause that a consumer works out for itself.

    ``is_own`` tells what a sensor waits for from what another sensor of the same run has taken: each has its
    own limit.
    """
    for entry in in_order(entries):
        is_it = (entry.data.get("cause"), entry.data.get("consumer")) == (cause, taker.consumer)
        if entry.kind == "cause_taken" and is_it and taker.holds(entry):
            event = _of_data(entry, str(entry.data["subject"]), datetime.fromisoformat(entry.data["at"]))
            if is_own(event):
                return event
    return None


def cause_data(event: CauseEvent) -> dict[str, Any]:
    """What an entry's own fields have no place for."""
    return {
        "cause": event.cause,
        "subject": event.subject,
        "features": list(event.features),
        "scores": dict(event.scores),
        "slices": list(event.slices),
    }


def _event(entry: Entry) -> CauseEvent | None:
    if entry.kind == "cause_found":
        return _of_data(entry, entry.subject, entry.at)
    if entry.kind == "retrain_requested":
        moved: Mapping[str, Any] = entry.data.get("scores", {}).get("columns", {})
        return CauseEvent(
            model=entry.model,
            cause="retrain",
            subject=entry.subject,
            at=entry.at,
            window=entry.window,
            version=entry.version,
            reports=entry.evidence,
            features=tuple(moved),
            scores=dict(finite(moved)),
            reasons=entry.reasons,
        )
    return None


def _of_data(entry: Entry, subject: str, at: datetime) -> CauseEvent:
    return CauseEvent(
        model=entry.model,
        cause=entry.data["cause"],
        subject=subject,
        at=at,
        window=entry.window,
        version=entry.version,
        reports=entry.evidence,
        features=tuple(entry.data.get("features", ())),
        scores=dict(finite(entry.data.get("scores", {}))),
        slices=tuple(entry.data.get("slices", ())),
        reasons=entry.reasons,
    )


def finite(scores: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Those that are numbers: JSON knows no NaN and no infinity, and neither is a score."""
    for name, score in scores.items():
        if isinstance(score, (int, float)) and math.isfinite(score):
            yield str(name), float(score)
