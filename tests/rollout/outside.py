"""Ledger, registry and serving target in memory, whose every call may be disturbed, and who is watched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, TypeVar

from airflow_mlops.core.ledger import CROWNINGS, Entry, EntryKind, champion_at, in_order
from airflow_mlops.core.values import Deployment, ModelRef, Observation, RunRef, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused

MODEL = "churn"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
_Result = TypeVar("_Result")

Disturbance = Literal[
    "killed before", "killed after", "away", "lies", "alias moved", "traffic moved", "champion moved",
    "reversal begun", "another run", "run lost before", "run lost after", "refuses", "old task cleared",
    "promoted too early", "opened too early",
]  # fmt: skip


class Killed(BaseException):
    """The process ends here, as by kill -9; Airflow tries the task again."""


class Lost(BaseException):
    """The process ends here and nobody tries again."""


@dataclass
class Outside:
    """What a rollout changes, with the plan of what goes wrong: the number of a call, and how.

    ``decided`` are the stages each version must pass, in order, as its run began; broken rules are gathered
    in ``broken``.
    """

    plan: dict[int, Disturbance] = field(default_factory=dict)
    follows: bool = True
    decided: dict[str, list[str]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    state: Traffic = field(default_factory=lambda: Traffic(None))
    unloadable: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    another: Callable[[], None] | None = None
    clearing: Callable[[Disturbance, int], None] | None = None
    person: str = ""
    calls: int = 0

    def call(self, effect: Callable[[], _Result], *, lie: Callable[[], _Result] | None = None) -> _Result:
        """Make a call that has an effect, or answers; ``lie`` says what it would have answered."""
        self.calls += 1
        what = self.plan.pop(self.calls, None)
        match what:
            case "killed before":
                raise Killed
            case "run lost before":
                raise Lost
            case "away":
                raise BackendUnavailable("nobody answers")
            case "another run":
                if self.another is not None:
                    self.another()
            case "old task cleared" | "promoted too early" | "opened too early":
                if self.clearing is not None:
                    self.clearing(what, self.calls)
            case "alias moved" | "traffic moved" | "champion moved" | "reversal begun" | "refuses":
                self._somebody(what)
        result = lie() if what == "lies" and lie is not None else effect()
        match what:
            case "killed after":
                raise Killed
            case "run lost after":
                raise Lost
        return result

    def _somebody(self, what: Disturbance) -> None:
        known = sorted({entry.subject for entry in self.entries.values() if entry.kind == "registered"})
        crowned = [entry.subject for entry in in_order(self.entries.values()) if entry.kind in CROWNINGS]
        if what == "alias moved" and known:
            self.aliases["champion"] = known[self.calls % len(known)]
            self.person = "moved"
        elif what == "traffic moved" and self.state.challenger is not None:
            self.state = replace(self.state, mode="canary", weight=1.0)
        elif what == "champion moved" and known:
            self.state = replace(self.state, champion=ModelRef(MODEL, known[self.calls % len(known)]))
        elif what == "reversal begun" and len(set(crowned)) > 1 and crowned[0] != crowned[-1]:
            moment = max(entry.at for entry in self.entries.values())
            self.append(
                Entry(MODEL, "reversal_intended", crowned[0], moment, "by.hand", f"r{self.calls}",
                      data={"previous": crowned[-1]})
            )  # fmt: skip
            self.person = "moved"
        elif what == "refuses" and known:
            self.unloadable.add(known[-1])

    def append(self, entry: Entry) -> Entry:
        kept = self.entries.setdefault(entry.id, entry)
        if kept is entry and entry.kind in ("promoted", "promotion_intended"):
            self._must_be_proven(entry.subject, f"{entry.kind} {entry.subject}")
        return kept

    def _must_be_proven(self, version: str, what: str) -> None:
        missing = [
            stage for stage in self.decided.get(version, ["a claim"]) if not self.passed(version, stage)
        ]
        if missing:
            self.broken.append(f"{what} without {missing}")

    def passed(self, version: str, stage: str) -> bool:
        """Whether there is a passed verdict of this stage, and no failed one."""
        outcomes = {
            entry.data.get("outcome", "pass" if entry.kind == "approved" else "fail")
            for entry in self.entries.values()
            if entry.subject == version and _stage(entry) == stage
        }
        return outcomes == {"pass"}

    def set_alias(self, alias: str, version: str) -> None:
        crowned = {entry.subject for entry in self.entries.values() if entry.kind in CROWNINGS}
        back = {entry.data.get("previous") for entry in self.entries.values()}
        asked = {entry.subject for entry in self.entries.values() if entry.kind == "reversal_intended"}
        if alias == "champion" and version not in crowned | back | asked:
            self._must_be_proven(version, f"the alias was given to {version}")
        self.aliases[alias] = version

    def follow(self) -> None:
        """As the embedded server does: a changed alias moves its champion."""
        alias = self.aliases.get("champion")
        if not self.follows or alias is None or alias in self.unloadable:
            return
        served = None if self.state.champion is None else self.state.champion.version
        if alias == served:
            return
        if self.state.challenger is not None and self.state.challenger.version == alias:
            self.state = Traffic(ModelRef(MODEL, alias))
        else:
            self.state = replace(self.state, champion=ModelRef(MODEL, alias))


@dataclass
class Ledger:
    outside: Outside

    def append(self, entry: Entry) -> Entry:
        return self.outside.call(lambda: self.outside.append(entry))

    def entries(self, model: str, kinds: Collection[EntryKind] | None = None) -> list[Entry]:
        entries = self.outside.call(lambda: in_order(self.outside.entries.values()))
        return [entry for entry in entries if kinds is None or entry.kind in kinds]


@dataclass
class Tracking:
    outside: Outside

    def alias(self, name: str, alias: str) -> ModelRef | None:
        version = self.outside.call(lambda: self.outside.aliases.get(alias))
        return None if version is None else ModelRef(name, version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.outside.call(lambda: self.outside.set_alias(alias, version), lie=lambda: None)

    def drop_alias(self, name: str, alias: str) -> None:
        self.outside.call(lambda: self.outside.aliases.pop(alias, None), lie=lambda: None)

    def describe(self, model: ModelRef, text: str) -> None:
        return None

    def set_tags(self, model: ModelRef, tags: Mapping[str, str]) -> None:
        return None

    def run_of(self, model: ModelRef) -> RunRef:
        return RunRef(f"run{model.version}", "runs:/x")

    def read_file(self, run_id: str, path: str) -> bytes:
        if path != "smoke.json":
            raise KeyError(path)
        return b'{"rows": [], "predictions": []}'


@dataclass
class Serving:
    """The embedded server's rules."""

    outside: Outside

    def traffic(self) -> Traffic:
        def told() -> Traffic:
            self.outside.follow()
            return self.outside.state

        return self.outside.call(told)

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        return Deployment(True, "in memory")

    def smoke(self, candidate: ModelRef, rows: Sequence[Any]) -> list[Any]:
        self._loadable(candidate)
        return self.outside.call(list)

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: Any, weight: float) -> Traffic:
        state = self.outside.state
        wanted = replace(state, challenger=candidate, mode=mode, weight=weight, rollout_id=rollout_id)

        def effect() -> Traffic:
            self._loadable(candidate)
            now = self.outside.state
            if now.champion is None or now.rollout_id not in (None, rollout_id) or now.champion == candidate:
                raise RolloutRefused("another rollout is open, or there is nothing to compare with")
            self._watch(candidate.version, mode, weight)
            self.outside.state = replace(wanted, champion=now.champion)
            return self.outside.state

        return self.outside.call(effect, lie=lambda: wanted)

    def _watch(self, version: str, mode: str, weight: float) -> None:
        stage = "shadow" if mode == "shadow" else f"canary {weight:g}"
        decided = self.outside.decided.get(version, [])
        before = decided[: decided.index(stage)] if stage in decided else ["a decision"]
        if early := [one for one in before if not self.outside.passed(version, one)]:
            self.outside.broken.append(f"{stage} of {version} was opened before {early}")

    def observe(self, rollout_id: str) -> Observation:
        state = self.outside.call(lambda: self.outside.state)
        mode = state.mode if state.rollout_id == rollout_id else "none"
        return Observation(rollout_id, mode, state.weight, NOW, None, None)

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        def effect() -> Traffic:
            self._loadable(candidate)
            if self.outside.state.rollout_id not in (None, rollout_id):
                raise RolloutRefused("another rollout is open")
            self.outside.state = Traffic(candidate)
            return self.outside.state

        return self.outside.call(effect, lie=lambda: Traffic(candidate))

    def roll_back(self, rollout_id: str) -> Traffic:
        def effect() -> Traffic:
            if self.outside.state.rollout_id == rollout_id:
                self.outside.state = Traffic(self.outside.state.champion)
            return self.outside.state

        return self.outside.call(effect, lie=lambda: Traffic(self.outside.state.champion))

    def _loadable(self, candidate: ModelRef) -> None:
        if candidate.version in self.outside.unloadable:
            raise ModelRefused("its file is gone")


@dataclass
class Backends:
    outside: Outside

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.outside)
        self.tracking = Tracking(self.outside)
        self.serving = Serving(self.outside)


def _stage(entry: Entry) -> str | None:
    match entry.kind:
        case "smoke_served":
            return "smoke"
        case "approved" | "declined":
            return "approval"
        case "shadowed":
            return "shadow"
        case "canary_step":
            return f"canary {entry.data['weight']:g}"
    return None


def reign(outside: Outside) -> str | None:
    """The champion by the ledger."""
    found = champion_at(outside.entries.values())
    return None if found is None else found.subject
