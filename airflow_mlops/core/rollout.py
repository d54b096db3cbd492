"""The rollout as a state machine: what is to be done next, in the light of ledger, registry and target.

Whoever acts reads the world, asks for the next act, does it, and reads the world again. An act is always
the same from the same state, so it makes no difference whether the one who acted before was killed before
or after it took effect, or was lied to. ``standing`` says what may be done; here is in which order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_mlops.core.ledger import (
    Entry,
    champion_at,
    closings,
    open_rollouts,
    pending_challengers,
)
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.standing import Standing, standing_of
from airflow_mlops.core.values import RunKey, Traffic, Verdict


@dataclass(frozen=True, slots=True)
class World:
    """What there is: the ledger's entries, the versions of the registry's two aliases, and the target's own
    account of its traffic. ``refused`` are versions that the target has just said it will not serve."""

    model: str
    entries: Sequence[Entry]
    champion: str | None
    challenger: str | None
    traffic: Traffic
    refused: frozenset[str] = frozenset()

    @property
    def reign(self) -> str | None:
        """The champion by the ledger."""
        reign = champion_at(self.entries)
        return None if reign is None else reign.subject

    @property
    def served(self) -> str | None:
        """The champion by the target."""
        return None if self.traffic.champion is None else self.traffic.champion.version


@dataclass(frozen=True, slots=True)
class Intend:
    """Write down what is about to be done; ``previous`` is the champion of before."""

    kind: Literal["promotion_intended", "rollback_intended"]
    version: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class PointAlias:
    """Point the registry's ``champion`` at a version, or drop it (None)."""

    version: str | None


@dataclass(frozen=True, slots=True)
class CloseStage:
    """Have the target end a rollout's stage: all rows to its champion."""

    rollout_id: str


@dataclass(frozen=True, slots=True)
class Serve:
    """Have the target serve a version as its champion."""

    version: str


@dataclass(frozen=True, slots=True)
class DropChallenger:
    """Take the registry's ``challenger`` alias from a version whose rollout is over."""

    version: str


@dataclass(frozen=True, slots=True)
class Close:
    """Write down that it is done, and tag the versions."""

    kind: Literal["promoted", "rolled_back"]
    version: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class FinishReversal:
    """Go on putting an earlier champion back, as somebody began to."""

    version: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Write down that somebody made a version champion by moving the alias."""

    version: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class Reject:
    """Close a challenger's rollout before it begins."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Take:
    """Claim a challenger for this run; it is compared with ``champion``."""

    version: str
    champion: str | None


Act = (
    Intend | PointAlias | CloseStage | Serve | DropChallenger | Close | FinishReversal | Adopt | Reject | Take
)


def rollout_id(model: str, version: str) -> str:
    """What a rollout is called at the target; the same on every retry."""
    return f"{model}-v{version}"


def next_act(world: World, run: RunKey) -> Act | None:
    """What a run that begins must do next; None once there is nothing, or only its own rollout to go on with.

    First what others left: a reversal and a promotion that were intended are finished, any other open rollout
    is undone. Then registry and target are made to agree with the ledger. Then the newest pending challenger
    is taken, and the older are rejected. Of two rollouts that were begun at once the newer version goes on.
    """
    left = open_reversal(world.entries)
    if left is not None:
        return FinishReversal(left.subject)
    mine, others = _open(world.entries, run)
    if mine is not None:
        older = [version for version in others if _rank(version) < _rank(mine)]
        if len(older) < len(others):
            return undoing(world, standing_of(world.entries, mine))
        others = older
    if others:
        standing = standing_of(world.entries, others[0])
        finish = standing.phase == "promoting" and standing.version not in world.refused
        return promotion(world, standing) if finish else undoing(world, standing)
    if mine is not None:
        return None
    return _agreement(world) or _challenger(world)


def promotion(world: World, standing: Standing) -> Act | None:
    """The next act of a promotion that may go on (``standing.why_not_promote``); None once it is done."""
    version = standing.version
    if standing.phase == "open":
        previous = standing.champion if world.champion in (None, version) else world.champion
        return Intend("promotion_intended", version, previous)
    if world.champion != version:
        return PointAlias(version)
    if world.served != version or world.traffic.rollout_id == rollout_id(world.model, version):
        return Serve(version)
    if world.challenger == version:
        return DropChallenger(version)
    if standing.phase != "promoted":
        return Close("promoted", version, standing.back)
    return None


def undoing(world: World, standing: Standing) -> Act | None:
    """The next act of rolling a version back; None once it is done. What serves by right stays: a version
    that the ledger calls champion keeps alias and traffic."""
    version, ended = standing.version, standing.phase in ("undone", "rejected")
    by_right = world.reign == version
    if standing.phase != "undoing" and not ended:
        return Intend("rollback_intended", version, standing.back)
    if world.champion == version and not by_right:
        return PointAlias(standing.back)
    if world.traffic.rollout_id == rollout_id(world.model, version):
        return CloseStage(rollout_id(world.model, version))
    if world.served == version and standing.back is not None and not by_right:
        # The promotion had got as far as the traffic, or the target had followed the alias.
        return Serve(standing.back)
    if world.challenger == version:
        return DropChallenger(version)
    return None if ended else Close("rolled_back", version, standing.back)


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


def _agreement(world: World) -> Act | None:
    """With no rollout open, who is champion by ledger, registry and target is one version.

    An alias that a person moved is followed, as the targets follow it, and written down. One that a broken
    promotion moved goes back, and so does a stage that nobody has decided.
    """
    if (stale := _stale_stage(world)) is not None:
        return CloseStage(stale)
    if world.champion is None and world.reign is not None:
        return PointAlias(world.reign)
    if world.champion is not None and world.champion != world.reign:
        if _left_by_a_promotion(world.entries, world.champion):
            return PointAlias(world.reign)
        return Adopt(world.champion, world.reign)
    if world.champion not in (None, world.served) and world.champion not in world.refused:
        return Serve(str(world.champion))
    if world.challenger is not None and standing_of(world.entries, world.challenger).over:
        return DropChallenger(world.challenger)
    return None


def _challenger(world: World) -> Act | None:
    pending = [
        entry for entry in pending_challengers(world.entries) if not closings(world.entries, entry.subject)
    ]
    if not pending:
        return None
    *older, newest = (entry.subject for entry in pending)
    if older:
        return Reject(older[0], f"superseded by version {newest}")
    if newest == world.champion:
        return Reject(newest, "it is the champion already: somebody moved the alias")
    return Take(newest, world.champion)


def _stale_stage(world: World) -> str | None:
    """A stage open at the target whose rollout the ledger has closed. One that the ledger does not know is a
    person's own, and stays."""
    known = {entry.subject for entry in world.entries if entry.kind == "rollout_taken"}
    seen = world.traffic.rollout_id
    return seen if seen in {rollout_id(world.model, version) for version in known} else None


def _left_by_a_promotion(entries: Sequence[Entry], version: str) -> bool:
    kinds = {entry.kind for entry in entries if entry.subject == version}
    return {"promotion_intended", "rolled_back"} <= kinds and "promoted" not in kinds


def _open(entries: Sequence[Entry], run: RunKey) -> tuple[str | None, list[str]]:
    """The open rollout of this run, and those of others."""
    mine, others = None, []
    for entry in open_rollouts(entries):
        if (entry.dag_id, entry.run_id) == (run.dag_id, run.run_id) and mine is None:
            mine = entry.subject
        else:
            others.append(entry.subject)
    return mine, others


def _rank(version: str) -> tuple[int, str]:
    return (int(version) if version.isdigit() else 0, version)
