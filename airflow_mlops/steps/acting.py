"""Doing what the rules of a rollout say: read the world, do the next act, read the world again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from airflow_mlops.backends.base import Backends
from airflow_mlops.config.models import ModelConfig
from airflow_mlops.core import rollout as rules
from airflow_mlops.core.ledger import Entry, EntryKind, crowning_moment
from airflow_mlops.core.rollout import Act, World, rollout_id
from airflow_mlops.core.values import ModelRef, RunInfo
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused
from airflow_mlops.steps.model_card import sign_card
from airflow_mlops.steps.record import entry

_TWICE = 2


@dataclass(slots=True)
class Acting:
    """One step's hands. ``reasons`` go into the entries it writes; ``refused`` are versions that the target
    will not serve."""

    config: ModelConfig
    run: RunInfo
    backends: Backends
    reasons: Sequence[str] = ()
    refused: set[str] = field(default_factory=set)

    def world(self) -> World:
        """What there is now. The ledger is read first: what stands outside may then be newer than the
        entries, never older, and an alias is not moved before its intention is written."""
        tracking, name = self.backends.tracking, self.config.model
        entries = self.backends.ledger.entries(name)
        return World(
            model=name,
            entries=entries,
            champion=_version(tracking.alias(name, "champion")),
            challenger=_version(tracking.alias(name, "challenger")),
            traffic=self.backends.serving.traffic(),
            refused=frozenset(self.refused),
        )

    def until_done(
        self, choose: Callable[[World], Act | None], *, instead: Callable[[Act], bool] | None = None
    ) -> World:
        """Do one act after the other until there is none; the world of then.

        ``instead`` may take an act over (True). An act that comes up again at once has not taken effect, and
        one that comes up for the third time is undone by somebody: ``BackendUnavailable``.
        """
        done: Counter[Act] = Counter()
        last: Act | None = None
        while True:
            world = self.world()
            act = choose(world)
            if act is None:
                return world
            if act == last or done[act] >= _TWICE:
                raise BackendUnavailable(_no_effect(act, world))
            if instead is None or not instead(act):
                self.perform(act, world)
            done[act] += 1
            last = act

    def perform(self, act: Act, world: World) -> None:
        """Do one act. Each may be repeated."""
        name, backends = self.config.model, self.backends
        match act:
            case rules.Intend():
                self.write(act.kind, act.version, data={"previous": act.previous})
            case rules.PointAlias():
                self._point(act.version)
            case rules.CloseStage():
                backends.serving.roll_back(act.rollout_id)
            case rules.Serve():
                self._serve(act.version)
            case rules.DropChallenger():
                backends.tracking.drop_alias(name, "challenger")
            case rules.Close():
                self._close(act, world)
            case rules.Adopt():
                self._adopt(act, world)
            case rules.Reject():
                self.reject(act.version, act.reason)
            case rules.Take() | rules.FinishReversal():
                raise AssertionError(f"{act} is for take_challenger")
            case _:
                assert_never(act)

    def write(self, kind: EntryKind, version: str, **more: Any) -> Entry:
        """An entry about a version; the one that holds its place."""
        more.setdefault("reasons", self.reasons)
        return self.backends.ledger.append(
            entry(self.config, self.run, kind, version, version=version, **more)
        )

    def reject(self, version: str, reason: str) -> None:
        """Close a challenger's rollout before it begins; it stays registered."""
        self.write("rejected", version, reasons=(reason,))
        self._tag(version, self.config.tracking.version_tags.rejected)
        self.write("rollout_taken", version, reasons=())

    def _point(self, version: str | None) -> None:
        if version is None:
            self.backends.tracking.drop_alias(self.config.model, "champion")
        else:
            self.backends.tracking.set_alias(self.config.model, "champion", version)

    def _serve(self, version: str) -> None:
        try:
            self.backends.serving.promote(
                rollout_id(self.config.model, version), ModelRef(self.config.model, version)
            )
        except (ModelRefused, RolloutRefused):
            self.refused.add(version)
            raise

    def _close(self, act: rules.Close, world: World) -> None:
        tags = self.config.tracking.version_tags
        data: dict[str, Any] = {"previous": act.previous}
        more: dict[str, Any] = {}
        match act.kind:
            case "promoted":
                more = {"at": crowning_moment(world.entries, self.run.now)}
                self._tag(act.previous, tags.replaced)
                self._tag(act.version, tags.champion)
                registered = _registered(world, act.version)
                data["causes"] = registered.data.get("causes", []) if registered else []
                if registered is not None:
                    more |= {"window": registered.window, "data_version": registered.data_version}
                self._sign(act.version)
            case "rolled_back":
                # Also where no stage was ever open: the target may have brought the version up for it.
                self.backends.serving.roll_back(rollout_id(self.config.model, act.version))
                self._tag(act.version, tags.rejected)
                if world.champion in (None, act.previous):
                    # A promotion that got as far as its tags has called the champion replaced; unless
                    # somebody has put an earlier one back since.
                    self._tag(act.previous, tags.champion)
        self.write(act.kind, act.version, data=data, **more)

    def _sign(self, version: str) -> None:
        run, training = self.run, self.backends.tracking.run_of(ModelRef(self.config.model, version))
        sign_card("promoted", run.actor, run.reason, run, training, self.backends)

    def _adopt(self, act: rules.Adopt, world: World) -> None:
        """Only where nothing was written meanwhile: an alias in motion may be another run's promotion."""
        if len(self.backends.ledger.entries(self.config.model)) != len(world.entries):
            return
        before = f", and version {act.previous} by the ledger" if act.previous else ""
        found = f"found: version {act.version} is champion by the registry's alias{before}; moved by hand"
        self.write(
            "reversed",
            act.version,
            at=crowning_moment(world.entries, self.run.now),
            actor="somebody",
            reasons=(found,),
            data={"previous": act.previous, "by_hand": True},
        )

    def _tag(self, version: str | None, tags: Any) -> None:
        if version is not None:
            self.backends.tracking.set_tags(ModelRef(self.config.model, version), tags)


def _no_effect(act: Act, world: World) -> str:
    name, traffic = world.model, world.traffic
    match act:
        case rules.Serve():
            return (
                f"the server was told to serve {name} version {act.version} but says it serves "
                f"{traffic.champion}; it is recorded as intended and a retry will finish it"
            )
        case rules.CloseStage():
            return (
                f"the server was told to end the rollout {act.rollout_id} but says {traffic.mode} at weight "
                f"{traffic.weight}; a retry will ask again"
            )
        case rules.PointAlias():
            return (
                f"the alias champion of {name} was set to version {act.version} but the registry says "
                f"{world.champion}; it is recorded as intended and a retry will finish it"
            )
        case _:
            return f"{act} has no effect, or somebody undoes it; a retry will try again"


def _registered(world: World, version: str) -> Entry | None:
    found = (item for item in world.entries if item.kind == "registered" and item.subject == version)
    return next(found, None)


def _version(model: ModelRef | None) -> str | None:
    return None if model is None else model.version
