"""Reversals: which champions there have been, and putting an earlier one back.

A reversal is an intent, the moves, and ``reversed``, or ``reversal_refused`` where it can never be finished.
All of its entries are in the name of the run that intended it, whoever finishes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from airflow_mlops.core.ledger import CROWNINGS, Entry, in_order

ENDS: frozenset[str] = frozenset({"reversed", "reversal_refused"})


@dataclass(frozen=True, slots=True)
class Reign:
    """A champion and when it became that; ``since`` is None where the ledger only knows who followed it."""

    version: str
    since: datetime | None = None


def succession(entries: Iterable[Entry], serving: str | None = None) -> tuple[Reign, ...]:
    """The champions one after the other, up to the present one.

    Whoever was taken out is no longer in it: a reversal leads back to where its version stood, so that two
    of them in a row go back twice and never return to what was taken out. ``serving`` is the registry's
    champion: one that the ledger does not know of (its alias was moved by hand) comes last.
    """
    reigns: list[Reign] = []
    for entry in in_order(entries):
        if entry.kind == "promoted":
            _reached(reigns, entry.data.get("previous"), None)
            reigns.append(Reign(entry.subject, entry.at))
        elif entry.kind == "reversed":
            _reached(reigns, entry.subject, entry.at)
    _reached(reigns, serving, None)
    return tuple(reigns)


def former_champions(entries: Iterable[Entry]) -> tuple[Reign, ...]:
    """Every version that has ever been champion, oldest first, each with its latest reign."""
    reigns: dict[str, Reign] = {}
    for entry in in_order(entries):
        if entry.kind == "promoted" and (followed := entry.data.get("previous")) is not None:
            reigns.setdefault(followed, Reign(followed))
        if entry.kind in CROWNINGS:
            reigns.pop(entry.subject, None)
            reigns[entry.subject] = Reign(entry.subject, entry.at)
    return tuple(reigns.values())


def open_reversal(entries: Iterable[Entry]) -> Entry | None:
    """The ``reversal_intended`` entry of a reversal that has neither been finished nor given up.

    As of rollouts, the time stamps are not asked; of two that were left open, the later one counts.
    """
    entries = list(entries)
    ended = {_key(entry) for entry in entries if entry.kind in ENDS}
    left = [entry for entry in in_order(entries) if entry.kind == "reversal_intended"]
    return next((entry for entry in reversed(left) if _key(entry) not in ended), None)


def end_of(entries: Iterable[Entry], intent: Entry) -> Entry | None:
    """How a reversal ended, or None while it has not."""
    return next((entry for entry in entries if entry.kind in ENDS and _key(entry) == _key(intent)), None)


def _reached(reigns: list[Reign], version: str | None, since: datetime | None) -> None:
    if version is None:
        return
    places = [place for place, reign in enumerate(reigns) if reign.version == version]
    if places:
        del reigns[places[-1] + 1 :]
    else:
        reigns.append(Reign(version, since))


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.subject, entry.dag_id, entry.run_id
