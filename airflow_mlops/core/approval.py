"""A person's answer to a question about a model: whose counts, and what it must say."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from airflow_mlops.core.ledger import Entry

_STARTED = frozenset({"gated", "registered", "overridden"})
_NOBODY = frozenset({"", "airflow"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What was chosen, and why. ``person`` is None where nobody answered in time; ``person_id`` is the auth
    manager's, which may be a number that no one knows the person by."""

    yes: bool
    person: str | None
    reason: str = ""
    person_id: str | None = None


def initiators(
    entries: Iterable[Entry], *, training_run: str, version: str | None, triggered_by: str
) -> frozenset[str]:
    """Who brought a model as far as this: who triggered this run or the training behind it, and who overrode
    its gates. Airflow itself is nobody.
    """
    subjects = {training_run, version}
    behind = {entry.actor for entry in entries if entry.kind in _STARTED and entry.subject in subjects}
    return frozenset((behind | {triggered_by}) - _NOBODY)


def objection(answer: Answer, *, initiators: Collection[str], needs_reason: Collection[bool]) -> str | None:
    """Why an answer does not count, or None. ``initiators`` may say no, but not yes; ``needs_reason`` holds
    the answers (yes, no) that must be explained. What nobody said in time always counts.
    """
    if answer.person is None:
        return None
    if answer.yes and is_one_of(answer, initiators):
        return f"{answer.person} had a hand in this, and four eyes are asked for: somebody else must say yes"
    if answer.yes in needs_reason and not answer.reason.strip():
        return f"{answer.person} gave no reason; this answer needs one"
    return None


def is_one_of(answer: Answer, people: Collection[str]) -> bool:
    """By name or id, in any case: Airflow keeps the name of who triggers, and a list of users has ids."""
    known = {name.casefold() for name in people}
    return any(name is not None and name.casefold() in known for name in (answer.person, answer.person_id))
