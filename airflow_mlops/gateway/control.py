"""Traffic changes: the only place that replaces the routing table."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Literal, Protocol

from airflow_mlops.core.values import ModelRef, Observation, Role, Traffic
from airflow_mlops.exceptions import (
    BackendUnavailable,
    MlopsError,
    ModelRefused,
    RolloutRefused,
    StoreUnavailable,
)
from airflow_mlops.gateway.batching import Batcher
from airflow_mlops.gateway.bodies import Part
from airflow_mlops.gateway.loading import Models
from airflow_mlops.gateway.metrics import GatewayMetrics
from airflow_mlops.gateway.models import signature_gap
from airflow_mlops.gateway.observations import Arm, Stage
from airflow_mlops.gateway.routing import RoutingTable
from airflow_mlops.gateway.state import KeptTraffic, TrafficState


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Router(Protocol):
    """What splits the requests where the versions are in processes of their own."""

    async def route(self, table: RoutingTable) -> None:
        """Split as this table says, from when it returns on. Raises ``BackendUnavailable``; the split is then
        as it was."""


class TrafficControl:
    """Keeps the wanted state (on disk) and the routing table (in memory) in step. Lives on the event loop.

    A version is loaded before a change and outside the lock, so a slow load holds up neither requests
    nor a rollback. A change is on disk before it is served, but for those that restore safety (roll
    back, the alias): they are served at once, and written as soon as the disk allows.
    ``problems`` says, by subject, what is not as it should be.
    """

    def __init__(
        self,
        model: str,
        files: KeptTraffic,
        models: Models,
        metrics: GatewayMetrics,
        now: Callable[[], datetime] = utc_now,
        router: Router | None = None,
    ) -> None:
        self.routing = RoutingTable()
        self.problems: dict[str, str] = {}
        self.state = files.load()
        self._model = model
        self._files = files
        self._models = models
        self._metrics = metrics
        self._now = now
        self._router = router
        self._changing = asyncio.Lock()
        self._unsaved = False
        self._roll_backs: Counter[str] = Counter()
        self._refused_challenger: str | None = None

    def traffic(self) -> Traffic:
        """What is meant to be served; ``problems`` says where a model for it is missing."""
        state = self.state
        return Traffic(
            champion=self._ref(state.champion),
            challenger=self._ref(state.challenger),
            mode=state.mode,
            weight=state.weight,
            rollout_id=state.rollout_id,
        )

    def observation(self, rollout_id: str) -> Observation:
        """What was seen in this rollout's stage; mode ``none`` where it is not open, and no arms while its
        challenger is not loaded."""
        state, stage = self.state, self.routing.stage
        if state.rollout_id != rollout_id or state.since is None:
            return Observation(rollout_id, "none", 0.0, self._now(), None, None)
        if stage is None:
            return Observation(rollout_id, state.mode, state.weight, state.since, None, None)
        return stage.observation()

    async def set_traffic(
        self, rollout_id: str, version: str, *, mode: Literal["shadow", "canary"], weight: float
    ) -> Traffic:
        """Open a rollout or change its stage; nothing happens if it is as asked already.

        Raises ``RolloutRefused``, ``ModelRefused`` (the version does not load, or cannot answer the
        champion's requests) or ``StoreUnavailable``; traffic is then as it was.
        """
        weight = 0.0 if mode == "shadow" else weight
        self._check_rollout(rollout_id, version)
        roll_backs = self._roll_backs[rollout_id]
        challenger = await self._load(version)
        async with self._changing:
            self._check_not_rolled_back(rollout_id, roll_backs)
            champion = self._check_rollout(rollout_id, version)
            if gap := signature_gap(challenger.model, champion.model):
                raise ModelRefused(f"Version {version} {gap}. Promote it by hand if that is meant.")
            wanted = replace(
                self.state,
                challenger=version,
                mode=mode,
                weight=weight,
                rollout_id=rollout_id,
                since=self._now(),
            )
            same = replace(self.state, since=None) == replace(wanted, since=None)
            if not same or self.routing.challenger is None:
                await self._commit(wanted, champion, challenger)
            self.problems.pop("challenger", None)
            return self.traffic()

    async def promote(self, rollout_id: str, version: str) -> Traffic:
        """Make a version the champion and close the rollout; nothing happens if it is so already.
        A first model is promoted without a rollout. Raises as ``set_traffic`` does."""
        self._check_promotion(rollout_id, version)
        roll_backs = self._roll_backs[rollout_id]
        model = await self._load(version)
        async with self._changing:
            self._check_not_rolled_back(rollout_id, roll_backs)
            self._check_promotion(rollout_id, version)
            wanted, before = TrafficState(champion=version, alias_seen=self.state.alias_seen), self.routing
            if self.state != wanted or before.champion is not model:
                await self._commit(wanted, model, None)
                self._models.followed(before.champion, model)
            self._settled("champion", "challenger")
            return self.traffic()

    async def roll_back(self, rollout_id: str) -> Traffic:
        """All rows to the champion; nothing happens if this rollout is not open. A change of it whose
        version still loads, of a caller who may long be gone, is refused when it has loaded.
        Raises ``StoreUnavailable`` when that is done but would not survive a restart."""
        self._roll_backs[rollout_id] += 1
        async with self._changing:
            if self.state.rollout_id == rollout_id:
                wanted = TrafficState(champion=self.state.champion, alias_seen=self.state.alias_seen)
                await self._serve(wanted, self.routing.champion, None)
                self._unsaved = True
            self._settled("challenger")
            await self._save_unsaved()
            return self.traffic()

    async def recover(self) -> None:
        """Load what served before the restart. What does not load is in ``problems``."""
        state = self.state
        if state.champion is None:
            return
        challenger = None
        if state.challenger is not None:
            challenger = await self._load_or_note("challenger", state.challenger)
        champion = await self._load_or_note("champion", state.champion)
        async with self._changing:
            if self.state is state and champion is not None:
                await self._serve(state, champion, challenger, stage=self._files.load_stage(state))
                self._models.forget()

    async def recover_challenger(self) -> None:
        """Load the open rollout's challenger where the registry was away; not one that was refused."""
        state = self.state
        if state.challenger in (None, self._refused_challenger) or self.routing.challenger is not None:
            return
        challenger = await self._load_or_note("challenger", state.challenger or "")
        async with self._changing:
            champion = self.routing.champion
            if challenger is not None and champion is not None and self.state is state:
                await self._serve(state, champion, challenger, stage=self._files.load_stage(state))
                self._settled("challenger")

    async def follow(self, alias: str) -> None:
        """Serve the alias's version where the alias has changed since it was last followed, or where no
        champion is loaded. Raises ``ModelRefused`` or ``BackendUnavailable``; the old one then stays."""
        while (target := self._to_follow(alias)) is not None:
            champion = await self._load(target)
            async with self._changing:
                # A promotion may have come first while this version loaded.
                if target == self._to_follow(alias):
                    await self._crown(target, champion, alias)
        self.problems.pop("champion", None)

    def take_part(self, part: Part) -> None:
        """What the one version of this process is from now on, and a stage of its own to count in."""
        champion, stage = self.routing.champion, None
        if champion is not None and part.rollout_id is not None and part.since is not None:
            own = Arm(champion.model.version, champion.model.task)
            stage = Stage(part.rollout_id, part.mode, part.weight, part.since, own, Arm("none"), None)
        self.routing = RoutingTable(
            champion, None, part.mode, part.weight, part.rollout_id, stage, role=part.role
        )

    def take_counts(self) -> Arm | None:
        """What the one version of this process has counted since it was asked last."""
        stage = self.routing.stage
        if stage is None:
            return None
        counted, stage.champion = stage.champion, Arm(stage.champion.version, stage.champion.task)
        return counted

    async def keep(self) -> None:
        """Write what is not on disk yet: a state that was served first, and the stage's counters."""
        async with self._changing:
            try:
                await self._save_unsaved()
                if self.routing.stage is not None:
                    await asyncio.to_thread(self._files.save_stage, self.routing.stage.to_json())
                self.problems.pop("store", None)
            except StoreUnavailable as error:
                self.problems["store"] = str(error)

    def _to_follow(self, alias: str) -> str | None:
        """The version that should be champion by the alias, and is not in memory as such."""
        if alias != self.state.alias_seen:
            return alias
        return None if self.routing.champion is not None else self.state.champion or alias

    async def _crown(self, target: str, champion: Batcher, alias: str) -> None:
        state = self.state
        if target == state.challenger or state.rollout_id is None:
            wanted, challenger = TrafficState(champion=target, alias_seen=alias), None
        else:
            wanted = replace(state, champion=target, alias_seen=alias)
            challenger = self.routing.challenger
            if target != state.champion:
                wanted = replace(wanted, since=self._now())
        stage = self.routing.stage if wanted.since == state.since else None
        self._models.followed(self.routing.champion, champion)
        await self._serve(wanted, champion, challenger, stage=stage)
        self._unsaved = True
        self._settled("champion")

    async def _load(self, version: str) -> Batcher:
        return await self._models.load(version, self.routing.champion, self.routing.challenger)

    async def _load_or_note(self, role: Role, version: str) -> Batcher | None:
        try:
            return await self._load(version)
        except MlopsError as error:
            self.problems[role] = str(error)
            if role == "challenger" and not error.retry_can_help:
                self._refused_challenger = version
            return None

    def _check_rollout(self, rollout_id: str, version: str) -> Batcher:
        """The champion that a rollout of this version may open beside, or ``RolloutRefused``."""
        state = self.state
        if self.routing.champion is None:
            raise RolloutRefused("There is no champion to compare with; a first model is promoted at once.")
        if state.rollout_id not in (None, rollout_id):
            raise RolloutRefused(f"{self._open_now()}; conclude it before rollout {rollout_id} begins.")
        if state.rollout_id == rollout_id and state.challenger != version:
            raise RolloutRefused(f"{self._open_now()}, and cannot go on with version {version}.")
        if version == state.champion:
            raise RolloutRefused(f"Version {version} is the champion already; there is nothing to roll out.")
        return self.routing.champion

    def _check_not_rolled_back(self, rollout_id: str, roll_backs: int) -> None:
        if self._roll_backs[rollout_id] != roll_backs:
            raise RolloutRefused(f"Rollout {rollout_id} was rolled back while its version was being loaded.")

    def _check_promotion(self, rollout_id: str, version: str) -> None:
        state = self.state
        if state.rollout_id not in (None, rollout_id):
            raise RolloutRefused(f"{self._open_now()}; rollout {rollout_id} cannot be promoted.")
        if state.rollout_id == rollout_id and version != state.challenger:
            raise RolloutRefused(f"{self._open_now()}, so version {version} cannot be promoted by it.")

    async def _commit(self, state: TrafficState, champion: Batcher, challenger: Batcher | None) -> None:
        await asyncio.to_thread(self._files.save, state)
        self._unsaved = False
        try:
            await self._serve(state, champion, challenger)
        except BackendUnavailable:
            # What goes on serving; ``keep`` writes it where the disk will not take it now.
            self._unsaved = True
            await self._save_unsaved()
            raise

    async def _serve(
        self,
        state: TrafficState,
        champion: Batcher | None,
        challenger: Batcher | None,
        stage: Stage | None = None,
    ) -> None:
        if stage is None and champion is not None and challenger is not None:
            stage = _new_stage(state, champion, challenger)
        routing = RoutingTable(
            champion,
            challenger,
            mode=state.mode if challenger is not None else "none",
            weight=state.weight if challenger is not None else 0.0,
            rollout_id=state.rollout_id,
            stage=stage,
        )
        if self._router is not None:
            await self._router.route(routing)
        self.state, self.routing = state, routing
        serving: dict[Role, Batcher | None] = {"champion": champion, "challenger": challenger}
        versions = {role: one.model.version for role, one in serving.items() if one is not None}
        self._metrics.routing(versions, self.routing.weight)

    async def _save_unsaved(self) -> None:
        if self._unsaved:
            await asyncio.to_thread(self._files.save, self.state)
            self._unsaved = False

    def _settled(self, *subjects: str) -> None:
        for subject in subjects:
            self.problems.pop(subject, None)
        self._models.forget()

    def _ref(self, version: str | None) -> ModelRef | None:
        return None if version is None else ModelRef(self._model, version)

    def _open_now(self) -> str:
        state = self.state
        if state.rollout_id is None:
            return "none is open"
        return f"Rollout {state.rollout_id} of version {state.challenger} is open ({state.mode})"


def _new_stage(state: TrafficState, champion: Batcher, challenger: Batcher) -> Stage:
    if state.rollout_id is None or state.since is None:
        raise AssertionError("a challenger serves only in a rollout")
    return Stage(
        state.rollout_id,
        state.mode,
        state.weight,
        state.since,
        Arm(champion.model.version, champion.model.task),
        Arm(challenger.model.version, challenger.model.task),
    )
