"""Where the rollout of one version stands: what the ledger says has been decided, proven and begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from airflow_mlops.core.ledger import (
    Entry,
    EntryKind,
    champion_at,
    in_order,
    open_rollouts,
)
from airflow_mlops.core.reversal import open_reversal
from airflow_mlops.core.values import RolloutMode

Phase = Literal["unknown", "open", "promoting", "undoing", "promoted", "undone", "rejected"]
"""``unknown``: never taken. ``promoting`` and ``undoing``: intended, not done."""

SMOKE = "smoke"
APPROVAL = "approval"
SHADOW = "shadow"
_VERDICTS: frozenset[EntryKind] = frozenset({"smoke_served", "approved", "shadowed", "canary_step"})


@dataclass(frozen=True, slots=True)
class Standing:
    """One version's rollout.

    ``required`` are the stages it must pass, in order, written down when it was taken; ``champion`` is the
    version it is compared with, ``back`` the one that is put back where it is undone. ``failed`` has the
    reasons, by stage. ``overtaken_by`` is an earlier champion that somebody has begun to put back: nothing is
    left but to undo the rollout.
    """

    version: str
    phase: Phase
    champion: str | None = None
    back: str | None = None
    required: tuple[str, ...] = ()
    passed: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    overtaken_by: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Required stages without a passed verdict."""
        return tuple(stage for stage in self.required if stage not in self.passed)

    @property
    def over(self) -> bool:
        """Whether the rollout has ended, whichever way."""
        return self.phase in ("promoted", "undone", "rejected")


def required_stages(
    *, approval: bool, shadow: bool, weights: Sequence[float], has_champion: bool
) -> tuple[str, ...]:
    """What a rollout must pass. A first model has nobody to be compared with, so it has no traffic stages."""
    stages = [SMOKE, *([APPROVAL] if approval else [])]
    if has_champion:
        stages += [*([SHADOW] if shadow else []), *(stage_name("canary", weight) for weight in weights)]
    return tuple(stages)


def stage_name(mode: RolloutMode, weight: float) -> str:
    """What a stage is called in ``required``: ``shadow``, ``canary 0.1``."""
    return SHADOW if mode == "shadow" else f"canary {weight:g}"


def standing_of(
    entries: Iterable[Entry], version: str, *, stages: tuple[str, ...] = (), champion: str | None = None
) -> Standing:
    """Where a version's rollout stands. ``stages`` and ``champion`` are for a rollout whose claim does not
    say what is required and whom it challenges: it was taken by an older version of this package.

    Entries are asked for what they say, not when: a rollback that was intended is never a promotion any more,
    and what failed once has failed, whatever a task that is cleared finds later.
    """
    entries = list(entries)
    ours = [entry for entry in in_order(entries) if entry.subject == version]
    taken = _first(ours, "rollout_taken")
    intended = _first(ours, "promotion_intended")
    passed, failed = _verdicts(ours)
    reversal = open_reversal(entries)
    claim = taken.data if taken is not None else {}
    challenged = claim.get("champion") if "required" in claim else champion or _before(entries, version)
    return Standing(
        version,
        _phase({entry.kind for entry in ours}),
        champion=challenged,
        back=challenged if intended is None else intended.data.get("previous", challenged),
        required=tuple(claim.get("required", stages)),
        passed=frozenset(passed - failed.keys()),
        failed=failed,
        overtaken_by=None if reversal is None else reversal.subject,
    )


def verdict_words(entries: Iterable[Entry], standing: Standing) -> tuple[str, ...]:
    """What the rollout's stages found; for a first model, that there was none to compare with."""
    found = [
        f"{item.kind.replace('_', ' ')}{' ' + item.stage if item.stage else ''}: {'; '.join(item.reasons)}"
        for item in entries
        if item.subject == standing.version and item.kind in _VERDICTS
    ]
    if standing.champion is None:
        found.append("first champion: there was none to compare with")
    return tuple(found)


def why_not_smoke(standing: Standing) -> str | None:
    """Why a version may not be tried on its server now; None where it may. A promotion that was begun is
    finished, so what a server says of it after that would be a verdict that nobody weighs. A version that was
    never taken, as in a DAG of a test's own, may be tried."""
    if standing.phase == "unknown":
        return None
    if standing.phase == "promoting":
        return f"version {standing.version} is being promoted: its stages are over"
    return why_over(standing)


def why_not_open(standing: Standing, mode: RolloutMode, weight: float) -> str | None:
    """Why a stage may not be opened now; None where it may. So the weight is never above what was decided."""
    stage = stage_name(mode, weight)
    if (ended := why_over(standing)) is not None:
        return ended
    if standing.phase == "promoting":
        return f"version {standing.version} is being promoted: its stages are over"
    if stage not in standing.required:
        decided = ", ".join(standing.required) or "none"
        return (
            f"{stage} was not decided when the rollout of version {standing.version} was taken, but: "
            f"{decided}. deploy.steps and deploy.shadow name the stages; they count from the next rollout on"
        )
    if standing.failed:
        return f"version {standing.version} has failed: {_said(standing.failed)}"
    before = standing.required[: standing.required.index(stage)]
    if open_yet := [one for one in before if one not in standing.passed]:
        return f"{stage} comes after {', '.join(open_yet)}, for which there is no passed verdict"
    return None


def why_over(standing: Standing) -> str | None:
    """Why nothing may happen in this rollout any more; None while it is open or being promoted."""
    version = standing.version
    match standing.phase:
        case "open" | "promoting" if standing.overtaken_by is None:
            return None
        case "open" | "promoting":
            return f"version {standing.overtaken_by} is being put back, which ends the rollout of {version}"
        case "unknown":
            return f"no rollout of version {version} was taken; take_challenger does that"
        case "undoing":
            return f"the rollout of version {version} is being rolled back"
        case "promoted":
            return f"the rollout of version {version} has ended (promoted)"
        case "undone" | "rejected":
            how = "rolled back" if standing.phase == "undone" else "rejected"
            return f"the rollout of version {version} has ended ({how}); train a new challenger"


def why_not_promote(entries: Sequence[Entry], standing: Standing, champion: str | None) -> str | None:
    """Why a version may not become champion now; None where it may. ``champion`` is the version that the
    registry calls so now. A promotion that was begun is finished without asking again."""
    version = standing.version
    match standing.phase:
        case "promoting":
            return why_over(standing)
        case "promoted":
            reign = open_reversal(entries) or champion_at(entries)
            if reign is None or reign.subject == version:
                return None
            return (
                f"version {version} was promoted before and version {reign.subject} has followed it; "
                "promoting it again would undo that. Train a new challenger"
            )
        case "open":
            return why_over(standing) or _unproven(standing, champion) or _not_alone(entries, version)
        case _:
            return why_over(standing)


def why_not_undo(standing: Standing) -> str | None:
    """Why a rollout may not be rolled back; None where it may, also where that has been done."""
    if standing.phase != "promoted":
        return None
    return (
        f"version {standing.version} has been promoted, so its rollout cannot be rolled back; "
        "train a new challenger to replace it"
    )


def _unproven(standing: Standing, champion: str | None) -> str | None:
    version = standing.version
    if standing.failed:
        return f"version {version} has failed: {_said(standing.failed)}"
    if standing.missing:
        return (
            f"there is no passed verdict for {', '.join(standing.missing)}, which the rollout of version "
            f"{version} must have"
        )
    if champion not in (None, version, standing.champion):
        compared = f"version {standing.champion}" if standing.champion else "nobody"
        return (
            f"version {champion} has become champion by other means, and version {version} was compared "
            f"with {compared}"
        )
    return None


def _not_alone(entries: Iterable[Entry], version: str) -> str | None:
    others = [entry for entry in open_rollouts(entries) if entry.subject != version]
    if not others:
        return None
    return f"the rollout of version {others[0].subject} is open too (run {others[0].run_id})"


def _phase(kinds: set[EntryKind]) -> Phase:
    """What has ended a rollout ends it for good; an intended rollback goes before an intended promotion."""
    endings: tuple[tuple[EntryKind, Phase], ...] = (
        ("promoted", "promoted"),
        ("rolled_back", "undone"),
        ("rejected", "rejected"),
        ("rollback_intended", "undoing"),
    )
    for kind, phase in endings:
        if kind in kinds:
            return phase
    if "rollout_taken" not in kinds:
        return "unknown"
    return "promoting" if "promotion_intended" in kinds else "open"


def _verdicts(ours: Iterable[Entry]) -> tuple[set[str], dict[str, str]]:
    """Stages that passed, and those that failed with their reasons; a look without a verdict is neither."""
    passed: set[str] = set()
    failed: dict[str, str] = {}
    for entry in ours:
        stage = _stage_of(entry)
        outcome = {"approved": "pass", "declined": "fail"}.get(entry.kind) or entry.data.get("outcome")
        if stage is not None and outcome == "pass":
            passed.add(stage)
        elif stage is not None and outcome == "fail":
            failed.setdefault(stage, "; ".join(entry.reasons))
    return passed, failed


def _stage_of(entry: Entry) -> str | None:
    match entry.kind:
        case "smoke_served":
            return SMOKE
        case "approved" | "declined":
            return APPROVAL
        case "shadowed":
            return SHADOW
        case "canary_step":
            return stage_name("canary", float(entry.data.get("weight", 0.0)))
        case _:
            return None


def _before(entries: Iterable[Entry], version: str) -> str | None:
    """The champion by the ledger, where it is another version."""
    reign = champion_at(entries)
    return None if reign is None or reign.subject == version else reign.subject


def _first(entries: Iterable[Entry], kind: EntryKind) -> Entry | None:
    return next((entry for entry in entries if entry.kind == kind), None)


def _said(failed: Mapping[str, str]) -> str:
    return "; ".join(f"{stage}: {reasons}" for stage, reasons in failed.items())
