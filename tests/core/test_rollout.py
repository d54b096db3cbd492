"""Rollouts: how one ends, and how a broken one is mended."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import permutations

import pytest

from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.rollout import conclude, recover
from airflow_mlops.core.values import Verdict

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)

PASS = Verdict("pass", ("fine",))


@pytest.mark.parametrize(
    ("verdicts", "ending"),
    [
        ([PASS, PASS], "promote"),
        ([None, None], "promote"),
        ([PASS, None], "promote"),
        ([], "roll_back"),
        ([PASS, Verdict("fail", ("no",))], "roll_back"),
        ([PASS, Verdict("inconclusive", ("who knows",))], "roll_back"),
    ],
)
def test_a_rollout_is_promoted_only_if_every_stage_passed(
    verdicts: list[Verdict | None], ending: str
) -> None:
    assert conclude(verdicts) == ending


def test_with_a_champion_a_stage_without_a_verdict_rolls_back() -> None:
    assert conclude([PASS, None], has_champion=True) == "roll_back"
    assert conclude([PASS, PASS], has_champion=True) == "promote"


def entries(*kinds: EntryKind, subject: str = "4", apart: int = 1) -> list[Entry]:
    return [
        Entry("flight_delay", kind, subject, NOW + timedelta(minutes=number * apart), "d", "r")
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "what"),
    [
        ((), "nothing"),
        (("gated", "registered"), "nothing"),
        (("registered", "rollout_taken"), "undo"),
        (("rollout_taken", "smoke_served", "shadowed", "canary_step"), "undo"),
        (("rollout_taken", "canary_step", "promotion_intended"), "finish"),
        (("rollout_taken", "promotion_intended", "promoted"), "nothing"),
        (("rollout_taken", "rejected"), "nothing"),
        (("rollout_taken", "rollback_intended"), "undo"),
        (("rollout_taken", "promotion_intended", "rollback_intended"), "undo"),
        (("rollout_taken", "rollback_intended", "rolled_back"), "nothing"),
    ],
)
def test_a_rollout_left_behind_is_finished_or_undone(kinds: tuple[EntryKind, ...], what: str) -> None:
    assert recover(entries(*kinds), "4") == what
    assert recover(reversed(entries(*kinds)), "4") == what


def test_an_intent_and_its_end_with_one_time_stamp_are_in_order_whichever_comes_first() -> None:
    for order in permutations(entries("promotion_intended", "promoted", apart=0)):
        assert recover(order, "4") == "nothing"
    for order in permutations(entries("rollback_intended", "rolled_back", apart=0)):
        assert recover(order, "4") == "nothing"


def test_another_version_is_not_looked_at() -> None:
    assert recover(entries("rollout_taken", "promotion_intended", subject="5"), "4") == "nothing"
