"""Rollouts: how one ends, and how a broken one is mended. ``analysis`` says what one stage proves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from airflow_mlops.core.ledger import Entry, EntryKind, in_order
from airflow_mlops.core.values import Verdict


def conclude(
    verdicts: Sequence[Verdict | None], *, has_champion: bool = False
) -> Literal["promote", "roll_back"]:
    """Promote only if every stage passed; an empty list is no evidence and rolls back.

    None stands for a stage that was skipped because there is no champion to compare with, and does not
    block. With ``has_champion`` no stage may be skipped, so None is a stage that broke, and rolls back.
    """
    if not verdicts:
        return "roll_back"
    for verdict in verdicts:
        if verdict is None and has_champion:
            return "roll_back"
        if verdict is not None and not verdict.passed:
            return "roll_back"
    return "promote"


def recover(entries: Iterable[Entry], rollout_subject: str) -> Literal["finish", "undo", "nothing"]:
    """What the next run must do about a rollout that another run left behind.

    Promotion is: intent entry, alias move, traffic move, done entry; each may be repeated. So an
    intended promotion is finished; a rollout that was taken, or was being rolled back, is undone, since
    traffic may have moved before the entry about it was written; the latest intention counts. The
    subject is the model version.
    """
    after: Literal["finish", "undo", "nothing"] = "nothing"
    for entry in in_order(entries):
        if entry.subject == rollout_subject:
            after = _AFTER.get(entry.kind, after)
    return after


_AFTER: dict[EntryKind, Literal["finish", "undo", "nothing"]] = {
    "rollout_taken": "undo",
    "shadowed": "undo",
    "canary_step": "undo",
    "rollback_intended": "undo",
    "promotion_intended": "finish",
    "promoted": "nothing",
    "rolled_back": "nothing",
    "rejected": "nothing",
}
