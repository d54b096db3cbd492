"""The rollout as a state machine: what is next from any state, and why an act is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest

from airflow_mlops.core import rollout
from airflow_mlops.core.ledger import Entry, EntryKind
from airflow_mlops.core.rollout import World, conclude, next_act, promotion, undoing
from airflow_mlops.core.standing import (
    required_stages,
    standing_of,
    why_not_open,
    why_not_promote,
    why_not_undo,
)
from airflow_mlops.core.values import ModelRef, RunKey, Traffic, Verdict

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
PASS = Verdict("pass", ("fine",))
RUN = RunKey("churn.deploy", "now")
CANARY = ("smoke", "shadow", "canary 0.1", "canary 0.5")


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


def test_each_strategy_has_its_stages_and_a_first_model_only_those_that_need_no_champion() -> None:
    def stages(*, shadow: bool, weights: tuple[float, ...], has_champion: bool = True) -> tuple[str, ...]:
        return required_stages(approval=True, shadow=shadow, weights=weights, has_champion=has_champion)

    assert stages(shadow=True, weights=(0.1, 0.5)) == ("smoke", "approval", *CANARY[1:])
    assert stages(shadow=False, weights=(1.0,)) == ("smoke", "approval", "canary 1")
    assert stages(shadow=False, weights=()) == ("smoke", "approval")
    assert stages(shadow=True, weights=(0.1,), has_champion=False) == ("smoke", "approval")


def written(*kinds: str, version: str = "4", run: str = "d1", **claim: Any) -> list[Entry]:
    """Entries about one version, a minute apart. ``canary_step 0.1`` passed, ``-shadowed`` failed."""
    found = []
    for number, written in enumerate(kinds):
        kind, _, weight = written.removeprefix("-").partition(" ")
        data: dict[str, Any] = {"outcome": "fail" if written.startswith("-") else "pass"}
        if weight:
            data["weight"] = float(weight)
        if kind == "rollout_taken":
            data = {"champion": "3", "required": list(CANARY), **claim}
        if kind == "promotion_intended":
            data = {"previous": "3"}
        if kind == "registered":
            data = {"role": "challenger"}
        at = NOW + timedelta(minutes=number)
        entry: Any = kind
        found.append(
            Entry("churn", entry, version, at, "churn.deploy", run, stage=weight, reasons=("why",), data=data)
        )
    return found


CHAMPION = written("promoted", version="3", run="d0")
PROVEN = written("rollout_taken", "smoke_served", "shadowed", "canary_step 0.1", "canary_step 0.5")


def world(
    entries: list[Entry],
    *,
    alias: str | None = "3",
    challenger: str | None = None,
    served: str | None = "3",
    stage: str | None = None,
) -> World:
    traffic = Traffic(None if served is None else ModelRef("churn", served), rollout_id=stage)
    return World("churn", [*CHAMPION, *entries], alias, challenger, traffic)


def test_a_promotion_is_an_intent_the_alias_the_traffic_and_the_end_one_at_a_time() -> None:
    begun = [*PROVEN, *written("promotion_intended")]
    for seen, act in (
        (world(PROVEN), rollout.Intend("promotion_intended", "4", "3")),
        (world(begun), rollout.PointAlias("4")),
        (world(begun, alias="4", challenger="4"), rollout.Serve("4")),
        (world(begun, alias="4", served="4", stage="churn-v4"), rollout.Serve("4")),
        (world(begun, alias="4", served="4", challenger="4"), rollout.DropChallenger("4")),
        (world(begun, alias="4", served="4"), rollout.Close("promoted", "4", "3")),
        (world([*begun, *written("promoted")], alias="4", served="4"), None),
    ):
        assert promotion(seen, standing_of(seen.entries, "4")) == act


def test_a_rollback_puts_back_what_a_promotion_had_moved_and_leaves_the_rest() -> None:
    undo = [*PROVEN, *written("promotion_intended", "rollback_intended")]
    for seen, act in (
        (world(PROVEN), rollout.Intend("rollback_intended", "4", "3")),
        (world(undo, alias="4", served="4"), rollout.PointAlias("3")),
        (world(undo, stage="churn-v4"), rollout.CloseStage("churn-v4")),
        (world(undo, served="4"), rollout.Serve("3")),
        (world(undo, challenger="4"), rollout.DropChallenger("4")),
        (world(undo, alias="9", served="9"), rollout.Close("rolled_back", "4", "3")),
        (world([*undo, *written("rolled_back")]), None),
    ):
        assert undoing(seen, standing_of(seen.entries, "4")) == act


@pytest.mark.parametrize(
    ("kinds", "act"),
    [
        (("rollout_taken",), rollout.Intend("rollback_intended", "4", "3")),
        (("rollout_taken", "smoke_served", "shadowed"), rollout.Intend("rollback_intended", "4", "3")),
        (("rollout_taken", "promotion_intended"), rollout.PointAlias("4")),
        (("rollout_taken", "rollback_intended"), rollout.Close("rolled_back", "4", "3")),
        (
            ("rollout_taken", "promotion_intended", "rollback_intended"),
            rollout.Close("rolled_back", "4", "3"),
        ),
        (("registered", "rollout_taken", "rejected"), None),
        (("registered", "rollout_taken", "rollback_intended", "rolled_back"), None),
        (("registered",), rollout.Take("4", "3")),
    ],
)
def test_the_next_run_finishes_what_was_to_be_promoted_and_undoes_the_rest(kinds: Any, act: Any) -> None:
    entries = written(*kinds)
    for order in (entries, list(reversed(entries))):
        assert next_act(world(order), RUN) == act


def test_its_own_rollout_is_left_to_the_run_and_an_older_one_of_another_run_is_undone_first() -> None:
    mine = written("rollout_taken", run="now")
    assert next_act(world(mine), RUN) is None
    older = written("rollout_taken", version="2")
    assert next_act(world([*mine, *older]), RUN) == rollout.Intend("rollback_intended", "2", "3")


def test_of_two_that_were_begun_at_once_the_older_version_gives_way() -> None:
    mine, newer = written("rollout_taken", run="now"), written("rollout_taken", version="5")
    assert next_act(world([*mine, *newer]), RUN) == rollout.Intend("rollback_intended", "4", "3")


def test_a_promotion_that_the_target_refuses_is_undone() -> None:
    left = written("rollout_taken", "promotion_intended")
    refused = replace(world(left), refused=frozenset({"4"}))
    assert next_act(refused, RUN) == rollout.Intend("rollback_intended", "4", "3")


def test_a_reversal_that_was_begun_comes_before_everything() -> None:
    begun = written("reversal_intended", version="2")
    left = written("rollout_taken", "promotion_intended")
    assert next_act(world([*left, *begun]), RUN) == rollout.FinishReversal("2")


@pytest.mark.parametrize(
    ("seen", "act"),
    [
        (world(written("rollout_taken", "rejected"), stage="churn-v4"), rollout.CloseStage("churn-v4")),
        (world([], stage="by-hand"), None),
        (world([], alias=None), rollout.PointAlias("3")),
        (world([], alias="2", served="2"), rollout.Adopt("2", "3")),
        (world([], served="2"), rollout.Serve("3")),
        (world([], served=None), rollout.Serve("3")),
        (replace(world([], served="2"), refused=frozenset({"3"})), None),
        (world(written("rollout_taken", "rejected"), challenger="4"), rollout.DropChallenger("4")),
    ],
)
def test_with_nothing_open_ledger_registry_and_target_are_made_to_agree(seen: World, act: Any) -> None:
    assert next_act(seen, RUN) == act


def test_an_alias_that_a_broken_promotion_left_behind_goes_back_but_a_persons_is_followed() -> None:
    broken = written("rollout_taken", "promotion_intended", "rollback_intended", "rolled_back")
    assert next_act(world(broken, alias="4"), RUN) == rollout.PointAlias("3")
    rolled_back = written("rollout_taken", "rollback_intended", "rolled_back")
    assert next_act(world(rolled_back, alias="4"), RUN) == rollout.Adopt("4", "3")


def test_older_challengers_are_rejected_before_the_newest_is_taken() -> None:
    pending = [*written("registered"), *written("registered", version="5")]
    assert next_act(world(pending), RUN) == rollout.Reject("4", "superseded by version 5")


def refusal(*kinds: str, champion: str | None = "3", **claim: Any) -> str:
    entries = [*CHAMPION, *written(*kinds, **claim)]
    return why_not_promote(entries, standing_of(entries, "4"), champion) or ""


ALL = ("rollout_taken", "smoke_served", "shadowed", "canary_step 0.1", "canary_step 0.5")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (refusal(*ALL), ""),
        (refusal(*ALL, champion=None), ""),
        (refusal(*ALL[:-1]), "no passed verdict for canary 0.5"),
        (refusal("rollout_taken"), "no passed verdict for smoke, shadow, canary 0.1, canary 0.5"),
        (refusal(*ALL, "-canary_step 0.1"), "has failed: canary 0.1: why"),
        (refusal(*ALL, champion="9"), "version 9 has become champion by other means, and version 4 was comp"),
        (refusal(*ALL, "rollback_intended"), "is being rolled back"),
        (refusal(*ALL, "rolled_back"), "has ended (rolled back)"),
        (refusal(*ALL, "rejected"), "has ended (rejected)"),
        (refusal("registered"), "no rollout of version 4 was taken"),
        (refusal("rollout_taken", "promotion_intended"), ""),
        (refusal(*ALL, "promotion_intended", "promoted"), ""),
        (refusal("rollout_taken", "smoke_served", required=["smoke"]), ""),
    ],
)
def test_a_promotion_needs_every_verdict_that_was_decided_and_a_refusal_says_which(
    said: str, message: str
) -> None:
    assert message in said
    assert bool(message) == bool(said)


def test_a_promotion_is_refused_while_another_rollout_is_open_and_after_another_champion() -> None:
    entries = [*CHAMPION, *PROVEN, *written("rollout_taken", version="5", run="d2")]
    assert why_not_promote(entries, standing_of(entries, "4"), "3") == (
        "the rollout of version 5 is open too (run d2)"
    )
    later = replace(written("promoted", version="5")[0], at=NOW + timedelta(hours=1))
    entries = [*CHAMPION, *PROVEN, *written("promoted"), later]
    assert "version 5 has followed it" in str(why_not_promote(entries, standing_of(entries, "4"), "5"))


def opening(mode: Any, weight: float, *kinds: str) -> str:
    return why_not_open(standing_of(written(*kinds), "4"), mode, weight) or ""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (opening("shadow", 0.0, *ALL[:2]), ""),
        (opening("canary", 0.1, *ALL[:3]), ""),
        (opening("canary", 0.1, *ALL[:4]), ""),
        (opening("shadow", 0.0, *ALL[:1]), "shadow comes after smoke, for which there is no passed verdict"),
        (opening("canary", 0.5, *ALL[:3]), "canary 0.5 comes after canary 0.1"),
        (opening("canary", 0.2, *ALL), "canary 0.2 was not decided when the rollout of version 4 was taken"),
        (opening("canary", 0.1, *ALL[:2], "-shadowed"), "version 4 has failed: shadow: why"),
        (opening("canary", 0.5, *ALL, "promotion_intended"), "is being promoted"),
        (opening("canary", 0.5, *ALL, "rolled_back"), "has ended (rolled back)"),
        (opening("canary", 0.5, *ALL, "promoted"), "has ended (promoted)"),
    ],
)
def test_a_stage_is_opened_in_its_turn_and_never_above_what_was_decided(said: str, message: str) -> None:
    assert message in said
    assert bool(message) == bool(said)


def test_a_reversal_under_way_leaves_a_rollout_nothing_but_its_end() -> None:
    entries = [*PROVEN, *written("reversal_intended", version="2")]
    standing = standing_of(entries, "4")
    for said in (why_not_open(standing, "canary", 0.5), why_not_promote(entries, standing, "3")):
        assert said == "version 2 is being put back, which ends the rollout of 4"
    assert why_not_undo(standing) is None


def test_a_rollout_taken_by_an_older_release_is_held_to_the_configuration() -> None:
    old: list[Entry] = [replace(written("rollout_taken")[0], data={})]
    standing = standing_of([*CHAMPION, *old], "4", stages=("smoke",))
    assert (standing.champion, standing.back, standing.missing) == ("3", "3", ("smoke",))


def test_an_intent_and_its_end_with_one_time_stamp_are_in_order_whichever_comes_first() -> None:
    ends: tuple[tuple[EntryKind, EntryKind, str], ...] = (
        ("promotion_intended", "promoted", "promoted"),
        ("rollback_intended", "rolled_back", "undone"),
    )
    for intent, end, phase in ends:
        both = [replace(entry, at=NOW) for entry in written("rollout_taken", intent, end)]
        for order in permutations(both):
            assert standing_of(order, "4").phase == phase
