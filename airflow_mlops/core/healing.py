"""What the loop does about its own failures, by policy: fall back, go back, or stop and ask people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from airflow_mlops.core.ledger import Entry, EntryKind, in_order
from airflow_mlops.core.reversal import succession


@dataclass(frozen=True, slots=True)
class Stop:
    """A step that failed the same way too often. ``runs`` are the failed ones, oldest first."""

    step: str
    fingerprint: str
    runs: tuple[str, ...]
    cause: str
    next_step: str
    said: str

    def __str__(self) -> str:
        told = f" ({self.said})" if self.said else ""
        return (
            f"{self.step} has failed the same way in {len(self.runs)} runs in a row{told}. "
            f"Cause: {self.cause}. "
            f"Next: {self.next_step} Automatic runs are held until a run by hand gets past it"
        )


@dataclass(frozen=True, slots=True)
class WayBack:
    """The answer to decay: ``version`` is put back, or nothing is, and ``reason`` says why."""

    action: Literal["roll_back", "keep"]
    reason: str
    version: str | None = None


NOTED: tuple[EntryKind, ...] = ("failed", "recovered")
"""Kinds that tell how tasks ended."""


def standing_stop(entries: Iterable[Entry], dag_id: str, stop_after: int | None) -> Stop | None:
    """The step of a DAG that failed the same way in at least ``stop_after`` runs since it last succeeded, one
    after the other; None where there is none, or nobody wants to stop.

    A failure of another kind breaks the row, a second failure in one run (a task that was cleared) counts
    once.
    """
    if stop_after is None:
        return None
    rows: dict[str, list[Entry]] = {}
    for item in in_order(entries):
        if item.dag_id != dag_id or item.kind not in NOTED:
            continue
        row = rows.setdefault(item.subject, [])
        if item.kind == "recovered":
            row.clear()
            continue
        if row and row[-1].data.get("fingerprint") != item.data.get("fingerprint"):
            row.clear()
        if item.run_id not in [one.run_id for one in row]:
            row.append(item)
    stopped = [row for row in rows.values() if len(row) >= stop_after]
    return _stop(max(stopped, key=lambda row: row[-1].at)) if stopped else None


def has_failed(entries: Iterable[Entry], dag_id: str, step: str) -> bool:
    """Whether the last that is known of a step is that it failed."""
    known = [
        item
        for item in in_order(entries)
        if (item.dag_id, item.subject) == (dag_id, step) and item.kind in NOTED
    ]
    return bool(known) and known[-1].kind == "failed"


def last_good_snapshot(entries: Iterable[Entry], by: datetime, *, but: str | None = None) -> Entry | None:
    """The snapshot with the newest rows, none of them later than ``by``, of those that passed their
    validation, other than the version ``but``. Of two that end together the later one."""
    good = [
        (item.window.end, item)
        for item in in_order(entries)
        if item.kind == "validated" and item.subject != but and item.window and item.window.end <= by
    ]
    return max(reversed(good), key=lambda one: one[0])[1] if good else None


def way_back(entries: Sequence[Entry], champion: str, *, decayed: bool | None, fault: str | None) -> WayBack:
    """What to do about a window in which the champion was found decayed.

    The one before it is put back, unless that one decayed too while it served; and at most once: after a
    way back somebody must have promoted a new version first. A broken feed says nothing about a champion.
    """
    if not decayed:
        return WayBack("keep", "no decay is proven")
    if fault:
        return WayBack("keep", f"the data came in broken: {fault}")
    ordered = in_order(entries)
    since = _since_promotion(ordered)
    if any(item.kind == "healed" for item in since):
        return WayBack("keep", "an earlier champion was put back already, and nothing was promoted since")
    if any(item.kind == "reversal_refused" and healing_of(since, item) is not None for item in since):
        return WayBack("keep", "an earlier champion could not be put back, and nothing was promoted since")
    reigns = succession(ordered, champion)
    if len(reigns) < 2:
        return WayBack("keep", f"version {champion} is the first champion: there is none to go back to")
    previous = reigns[-2].version
    if previous in _decayed(ordered):
        return WayBack("keep", f"version {previous} decayed too while it served")
    return WayBack(
        "roll_back", f"version {champion} has decayed; version {previous} served before it", previous
    )


def healing_of(entries: Iterable[Entry], reversal: Entry) -> Entry | None:
    """The ``healing_intended`` that a reversal carries out; None where something else began it."""
    intents = (item for item in entries if item.kind == "healing_intended")
    return next((item for item in intents if _key(item) == _key(reversal)), None)


def left_healing(entries: Iterable[Entry], champion: str) -> Entry | None:
    """A ``healing_intended`` against this champion that came to nothing: its run ended before anything moved.
    None once it was done or given up, whoever did it, or another version was promoted."""
    since = _since_promotion(in_order(entries))
    ended = {_key(item) for item in since if item.kind == "reversal_refused"}
    if any(item.kind == "healed" for item in since):
        return None
    left = [
        item
        for item in since
        if item.kind == "healing_intended" and item.data["out"] == champion and _key(item) not in ended
    ]
    return left[-1] if left else None


def _since_promotion(ordered: Sequence[Entry]) -> Sequence[Entry]:
    promotions = [place for place, item in enumerate(ordered) if item.kind == "promoted"]
    return ordered[promotions[-1] :] if promotions else ordered


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.subject, entry.dag_id, entry.run_id


def _decayed(entries: Iterable[Entry]) -> set[str]:
    return {
        item.version
        for item in entries
        if item.kind in ("monitored", "rescored")
        and item.version is not None
        and item.data.get("decayed")
        and not item.data.get("upstream_fault")
    }


def _stop(row: Sequence[Entry]) -> Stop:
    last = row[-1]
    return Stop(
        step=last.subject,
        fingerprint=str(last.data.get("fingerprint")),
        runs=tuple(item.run_id for item in row),
        cause=str(last.data.get("cause")),
        next_step=str(last.data.get("next_step")),
        said=last.reasons[0] if last.reasons else "",
    )
