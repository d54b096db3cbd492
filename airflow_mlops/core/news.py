"""What the ledger holds that people may be told of: a table of events, each read off ledger entries.

A new event is a name and a line of the table. Two kinds there are: what lasts (drift: one finding from its
first window to the window that finds none) and what happened once (a promotion).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from types import MappingProxyType
from typing import Any, Literal

from airflow_mlops.core.ledger import CLOSINGS, Entry, in_order
from airflow_mlops.core.values import Severity

EventName = Literal[
    "drift",
    "decay",
    "slice_decay",
    "concept_drift",
    "upstream_fault",
    "feed_warning",
    "retrain_requested",
    "retrain_refused",
    "circuit_breaker_open",
    "rollout_abandoned",
    "cause_gone",
    "cause_remains",
    "gate_held",
    "promoted",
    "rolled_back",
    "reversed",
    "reversal_refused",
    "stopped",
    "healed",
]
Finder = Literal["monitor", "train", "deploy", "rollback"]


@dataclass(frozen=True, slots=True)
class Event:
    """How an event is read off the ledger.

    ``says`` is True where an entry says that it is so, False where it says that it is not (any more), and
    None where the entry knows nothing of it. ``about`` are the parts of a finding (columns, a version): one
    that gains a part has changed. ``words`` may name ``version``, ``window``, ``cause`` and ``outcome``;
    ``over`` is said at the end of what ``lasts``, if there is anything to say. ``by_window``: the finding of
    the latest window counts, whenever it was looked at; else that of the latest entry. ``reasons`` are the
    entry's own, or those in its data under this name.
    """

    severity: Severity
    found_by: Finder
    says: Callable[[Entry], bool | None]
    words: str
    over: str = ""
    about: Callable[[Entry], Iterable[str]] = lambda _: ()
    lasts: bool = False
    by_window: bool = False
    reasons: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """An event as it stands. ``subject`` is the same for as long as it is one and the same finding, and
    ``entry`` is the evidence: the latest one of what lasts. That ``began`` when the first entry of those in a
    row was written; ``over`` is True where it has ended."""

    event: EventName
    subject: str
    entry: Entry
    began: datetime
    about: frozenset[str] = frozenset()
    over: bool = False

    @property
    def headline(self) -> str:
        """A line about it, the model's name first."""
        told = EVENTS[self.event]
        facts = {
            "version": self.entry.version or self.entry.subject,
            "window": self.entry.window or "an unknown window",
            "cause": self.entry.data.get("cause") or "an unknown cause",
            "outcome": self.entry.data.get("outcome") or "no outcome",
        }
        return f"{self.entry.model}: {(told.over if self.over else told.words).format_map(facts)}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words and numbers."""
        name = EVENTS[self.event].reasons
        said = self.entry.data.get(name) or () if name else self.entry.reasons
        return (said,) if isinstance(said, str) else tuple(said)


def news(entries: Iterable[Entry]) -> list[News]:
    """All that there is, as it stands now: of what lasts one for each event that ever was, of the rest one
    for each time it happened, oldest first."""
    entries = in_order(entries)
    found: list[News] = []
    for name, event in EVENTS.items():
        heard = [(entry, said) for entry in entries if (said := event.says(entry)) is not None]
        if event.lasts:
            found += _standing(name, event, heard)
        else:
            found += [
                News(name, f"{name} {entry.id}", entry, entry.at, frozenset(event.about(entry)))
                for entry, said in heard
                if said
            ]
    return found


def _standing(name: EventName, event: Event, heard: list[tuple[Entry, bool]]) -> list[News]:
    if not any(said for _, said in heard):
        return []
    if event.by_window:
        heard = sorted(heard, key=lambda one: _looked_at(one[0]))
    entry, said = heard[-1]
    in_a_row = takewhile(lambda one: one[1] == said, reversed(heard))
    began = min(one.at for one, _ in in_a_row)
    return [News(name, name, entry, began, frozenset(event.about(entry)), over=not said)]


def _looked_at(entry: Entry) -> tuple[datetime, datetime]:
    """A window may be looked at again, when more of its labels have landed: then the later look counts."""
    return (entry.window.end if entry.window else entry.at), entry.at


def refusal_of(reasons: Sequence[str]) -> str:
    """Why retraining was refused, as a name; ``other`` for what needs none. The policy says it in words."""
    said = reasons[0] if reasons else ""
    return next((name for name, words in _REFUSALS.items() if words in said), "other")


def _is(kind: str, says: Callable[[Entry], bool] = lambda _: True) -> Callable[[Entry], bool | None]:
    return lambda entry: says(entry) if entry.kind == kind else None


def _of_a_sound_window(entry: Entry, name: str) -> Any:
    """A window's fact about the model. Where its data came in broken there is none: drift and decay are then
    the fault's, and no news about the model."""
    if entry.kind not in LOOKS or entry.data.get("upstream_fault"):
        return None
    return entry.data.get(name)


def _drifted(entry: Entry) -> bool | None:
    drifted = _of_a_sound_window(entry, "drifted")
    if not drifted and entry.data.get("drift_share") is None:
        return None  # too few rows to compare
    return None if drifted is None else bool(drifted)


def _decayed(entry: Entry) -> bool | None:
    decayed = _of_a_sound_window(entry, "decayed")
    return None if decayed is None else bool(decayed)


def _has_worse_slices(entry: Entry) -> bool | None:
    if _of_a_sound_window(entry, "slices") is None:
        return None
    return bool(_worse_slices(entry))


def _worse_slices(entry: Entry) -> list[str]:
    return [str(one["slice"]) for one in entry.data.get("slices") or () if one["outcome"] == "fail"]


def _detected(entry: Entry) -> bool | None:
    states = _of_a_sound_window(entry, "detectors")
    return None if states is None else bool(_fired(entry))


def _fired(entry: Entry) -> list[str]:
    return [str(one["detector"]) for one in entry.data.get("detectors") or () if one["state"] == "drift"]


def _refused(entry: Entry) -> bool | None:
    """The window's entry says that it was refused, and the entry of the refusal says why. Where retraining is
    off, nobody was refused anything."""
    if entry.kind == "retrain_refused":
        return True if refusal_of(entry.reasons) != "disabled" else None
    return False if entry.kind == "monitored" and entry.data.get("action") != "refuse" else None


def _breaker_open(entry: Entry) -> bool | None:
    """Only a request that would else have been granted, or one that is, says how the breaker stands."""
    if entry.kind == "retrain_requested":
        return False
    return (
        True if entry.kind == "retrain_refused" and refusal_of(entry.reasons) == "circuit breaker" else None
    )


def _left_open(entry: Entry) -> bool | None:
    """A rollout that nobody seems to be at, by the policy, which waits for it; until any rollout ends."""
    if entry.kind in CLOSINGS or entry.kind == "retrain_requested":
        return False
    is_it = entry.kind == "retrain_refused" and refusal_of(entry.reasons) == "abandoned rollout"
    return True if is_it else None


def _held(entry: Entry) -> bool | None:
    if entry.kind == "overridden":
        return False
    if entry.kind != "gated" or entry.data.get("run_kind") == "backfill":
        return None  # versions of a backfill go nowhere, whatever its gates say
    return entry.data.get("outcome") != "pass"


def _drifted_parts(entry: Entry) -> Iterable[str]:
    parts = (*(entry.data.get("drifted_columns") or ()), *(entry.data.get("drifted_beyond") or ()))
    return f"version {entry.version}", *parts


def _feed_is_odd(entry: Entry) -> bool | None:
    warnings = entry.data.get("feed_warnings") if entry.kind == "monitored" else None
    return None if warnings is None else bool(warnings)


LOOKS = frozenset({"monitored", "rescored"})
"""Kinds of entries that say how a window was found."""
_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "disabled": "retraining is disabled",
        "upstream fault": "the data came in broken",
        "circuit breaker": "the circuit breaker is open",
        "budget": "the budget is spent",
        "abandoned rollout": "nothing has been heard of it since",
        "cool-down": "of cool-down last",
    }
)
"""By words of ``core.retraining``; a test has the policy say them."""

EVENTS: Mapping[EventName, Event] = MappingProxyType(
    {
        "drift": Event(
            "warning",
            "monitor",
            _drifted,
            "drift in {window}",
            over="no more drift, by {window}",
            about=_drifted_parts,
            lasts=True,
            by_window=True,
        ),
        "decay": Event(
            "critical",
            "monitor",
            _decayed,
            "decay in {window}: the champion is worse than promised",
            over="no more decay, by {window}",
            about=lambda entry: (f"version {entry.version}",),
            lasts=True,
            by_window=True,
        ),
        "slice_decay": Event(
            "warning",
            "monitor",
            _has_worse_slices,
            "decay in {window}, in some slices",
            over="no more decay in slices, by {window}",
            about=_worse_slices,
            lasts=True,
            by_window=True,
        ),
        "concept_drift": Event(
            "warning",
            "monitor",
            _detected,
            "the loss has changed by {window}, as detectors say",
            over="no detector fires any more, by {window}",
            about=_fired,
            lasts=True,
            by_window=True,
        ),
        "upstream_fault": Event(
            "critical",
            "monitor",
            _is("monitored", lambda entry: bool(entry.data.get("upstream_fault"))),
            "the data of {window} came in broken",
            over="the data come in whole again, by {window}",
            about=lambda entry: (str(part) for part in entry.data.get("fault_columns") or ()),
            lasts=True,
            by_window=True,
            reasons="upstream_fault",
        ),
        "feed_warning": Event(
            "warning",
            "monitor",
            _feed_is_odd,
            "the rows of {window} are few, many or late",
            over="the rows come as usual again, by {window}",
            about=lambda entry: ("a new level",) if entry.data.get("new_volume_level") else (),
            lasts=True,
            by_window=True,
            reasons="feed_warnings",
        ),
        "retrain_requested": Event(
            "info", "monitor", _is("retrain_requested"), "retraining was requested, for {cause} in {window}"
        ),
        "retrain_refused": Event(
            "info",  # most are the policy at its work: cool-down, a request that is open, k of n
            "monitor",
            _refused,
            "{cause} in {window}, and retraining was refused",
            about=lambda entry: (refusal_of(entry.reasons),),
            lasts=True,
            by_window=True,
        ),
        "circuit_breaker_open": Event(
            "critical",
            "monitor",
            _breaker_open,
            "the circuit breaker of retraining is open: what was trained did not help",
            over="the circuit breaker of retraining is closed again",
            lasts=True,
            by_window=True,
        ),
        "rollout_abandoned": Event(
            "critical",
            "monitor",
            _left_open,
            "a rollout seems to be nobody's any more, and no retraining begins before it has ended",
            over="the rollout that nobody was at has ended",
            lasts=True,
        ),
        "cause_gone": Event(
            "info",
            "monitor",
            _is("cause_checked", lambda entry: bool(entry.data.get("gone"))),
            "version {version} has helped: {cause} is gone",
        ),
        "cause_remains": Event(
            "warning",
            "monitor",
            _is("cause_checked", lambda entry: entry.data.get("gone") is False),
            "version {version} has not helped: {cause} is still there",
        ),
        "gate_held": Event(
            "warning",
            "train",
            _held,
            "the gates held a challenger ({outcome})",
            over="a challenger has passed its gates again",
            about=lambda entry: (str(entry.data.get("outcome")),),
            lasts=True,
        ),
        "promoted": Event("info", "deploy", _is("promoted"), "version {version} is the champion"),
        "rolled_back": Event(
            "warning", "deploy", _is("rolled_back"), "the rollout of version {version} was rolled back"
        ),
        "reversed": Event(
            "warning", "rollback", _is("reversed"), "version {version} was put back as the champion"
        ),
        "reversal_refused": Event(
            "critical", "rollback", _is("reversal_refused"), "version {version} could not be put back"
        ),
        "stopped": Event(
            "critical",
            "train",
            _is("stopped"),
            "automatic runs are held: a step failed the same way too often",
        ),
        "healed": Event(
            "warning", "monitor", _is("healed"), "version {version} is put back, as the policy asks on decay"
        ),
    }
)
