"""KServe as a serving target: one InferenceService a model, in serverless or in Standard mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kserve.definition import DEFINITION, check_definition
from airflow_mlops.backends.kserve.manifests import CONTAINER, Manifests
from airflow_mlops.backends.kserve.serverless import Serverless
from airflow_mlops.backends.kserve.service import Change, Service
from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.backends.kserve.standard import Standard
from airflow_mlops.backends.kserve.state import Seen, State
from airflow_mlops.backends.kserve.way import Way
from airflow_mlops.backends.kube.access import connection_access
from airflow_mlops.backends.kube.api import CUSTOM_RESOURCES, KubeApi
from airflow_mlops.backends.kube.counting import counting
from airflow_mlops.backends.kube.pods import Pods
from airflow_mlops.core.values import Deployment, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import RolloutRefused

_POLL_SECONDS = 1.0
_ENOUGH = 1e-9


class KServeTarget:
    """One model's InferenceService.

    The spec holds the shares, and annotations of it what the spec cannot say: the champion, the rollout, its
    stage's beginning, and what the champion is served by. Both are written in one patch, so each call may be
    repeated, by whichever process. Shares are whole percents. There is no shadow in KServe.

    Raises ``BackendUnavailable`` where the API server is away, or KServe has not done in time what it was
    told (the same call goes on from there); ``ModelRefused`` where a version does not come up, with KServe's
    or its pod's words; ``RolloutRefused`` where another rollout is open; ``ConfigError`` where the cluster's
    KServe cannot do it, with the release that can.
    """

    def __init__(
        self, endpoint: ServingEndpoint, *, api: KubeApi | None = None, poll_seconds: float = _POLL_SECONDS
    ) -> None:
        access = connection_access(endpoint.url, endpoint.token, endpoint.extra)
        self._api = api or KubeApi(access)
        self._settings = KServeSettings.of(endpoint, access.namespace)
        manifests = Manifests(self._settings)
        self._pods = Pods(self._api, self._settings, manifests, container=CONTAINER)
        self._service = Service(self._api, self._settings, manifests, poll_seconds)
        self._way: Way = Serverless(manifests, self._pods)
        if self._settings.mode == "standard":
            self._way = Standard(self._api, self._settings, manifests, self._pods)
        self._counting = counting(self._api, self._settings, manifests)
        self._checked = False

    def traffic(self) -> Traffic:
        """What the spec says. The calls that change something wait until it is in force."""
        self._check_cluster()
        return self._traffic(self._service.read())

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        """Put the version beside the champion without a share, and say how far it is."""
        self._start(candidate, rollout_id)
        why = self._way.not_up(self._service.read(), candidate.version)
        return Deployment(why is None, f"{self._service.place}: {why or 'it takes requests'}")

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Bring the version up, if it is not, and ask one of its pods through the API server."""
        self._bring_up(candidate, None)
        return self._pods.smoke(candidate, rows)

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """Give the challenger its share and wait until the status has it; nothing is written where it has it
        already. The stage's counters begin anew before the first request of it."""
        if mode == "shadow":
            raise RolloutRefused(
                "KServe copies no requests, so there is no shadow: set shadow: {enabled: false} and a "
                "strategy of canary, blue_green or direct, or use a target of type kubernetes."
            )
        percent = _percent(weight)
        self._check_beside(self._service.read(), rollout_id, candidate)
        self._bring_up(candidate, rollout_id)
        self._service.change(lambda seen: self._weighed(seen, rollout_id, candidate, percent))
        return self._traffic(self._service.wait(lambda seen: self._way.unrouted(seen, percent)))

    def observe(self, rollout_id: str) -> Observation:
        """What the pods have counted in the open stage; mode ``none`` and no arms if this rollout is not
        open. Raises ``ModelRefused`` where the challenger's pods have come down."""
        seen = self._service.read()
        state = seen.state
        if state.rollout_id != rollout_id or not state.open or state.since is None:
            return Observation(rollout_id, "none", 0.0, datetime.now(timezone.utc), None, None)
        champion, challenger = str(state.champion), str(state.challenger)
        self._pods.check_not_stuck(challenger)
        counted = self._counting.look(state.since, [champion, challenger])
        return Observation(
            rollout_id,
            "canary",
            seen.percent / 100,
            state.since,
            counted.arm(champion),
            counted.arm(challenger),
            disagreements=None,
            latency_edges=counted.edges,
        )

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """Bring the version up beside the champion, and only then give it all requests."""
        version = candidate.version
        self._bring_up(candidate, rollout_id)
        state = self._service.read().state
        if state.champion == version and state.challenger is not None:
            return self.roll_back(state.rollout_id or rollout_id)

        def change(seen: Seen) -> Change | None:
            self._check_open(seen, rollout_id, candidate)
            if seen.state.champion == version and seen.state.challenger is None:
                return None
            return self._way.finish(seen, version)

        self._service.change(change)
        seen = self._service.wait(
            lambda seen: self._way.not_up(seen, version) or self._way.unrouted(seen, 100)
        )
        self._counting.end()
        return self._traffic(seen)

    def roll_back(self, rollout_id: str) -> Traffic:
        """All requests to the champion, then the champion back into the spec, and only then the notes away.

        The share is nought until the champion's own revision is ready again: an InferenceService without a
        share gives everything to the newest revision that is ready, which is the challenger's until then."""
        seen = self._service.read()
        if seen.state.challenger is None or seen.state.rollout_id not in (rollout_id, None):
            return self._traffic(seen)
        if seen.state.champion is None:
            return Traffic(None)
        champion = seen.state.champion
        if seen.percent:
            self._service.change(lambda seen: self._way.weigh(seen, 0))
            self._service.wait(lambda seen: self._way.unrouted(seen, 0))
        self._service.change(self._way.restore)
        self._service.wait(lambda seen: self._way.not_up(seen, champion) or self._way.unrouted(seen, 0))
        self._service.change(self._way.clear)
        seen = self._service.wait(lambda seen: self._way.unrouted(seen, 100))
        self._counting.end()
        return self._traffic(seen)

    def _start(self, candidate: ModelRef, rollout_id: str | None) -> Seen:
        self._service.check_model(candidate.name)
        self._check_cluster()

        def change(seen: Seen) -> Change | None:
            self._check_open(seen, rollout_id, candidate)
            if seen.state.champion == candidate.version:
                return None
            return self._way.start(seen, candidate.version, rollout_id)

        return self._service.change(change)

    def _bring_up(self, candidate: ModelRef, rollout_id: str | None) -> None:
        state = self._start(candidate, rollout_id).state
        if state.champion != candidate.version:
            self._service.wait(lambda seen: self._way.not_up(seen, candidate.version))

    def _weighed(self, seen: Seen, rollout_id: str, candidate: ModelRef, percent: int) -> Change | None:
        self._check_beside(seen, rollout_id, candidate)
        state = seen.state
        if state.open and seen.percent == percent and state.rollout_id == rollout_id:
            return None
        champion = str(state.champion)
        self._pods.check_same_requests(champion, candidate.version)
        since = datetime.now(timezone.utc)
        self._counting.begin(since, [champion, candidate.version])
        _, spec = self._way.weigh(seen, percent)
        return replace(state, rollout_id=rollout_id, open=True, since=since), spec

    def _traffic(self, seen: Seen) -> Traffic:
        state = seen.state
        if not state.open:
            return Traffic(self._ref(state.champion))
        return Traffic(
            self._ref(state.champion),
            self._ref(state.challenger),
            "canary",
            seen.percent / 100,
            state.rollout_id,
        )

    def _check_open(self, seen: Seen, rollout_id: str | None, candidate: ModelRef) -> None:
        """Raises ``RolloutRefused`` where another rollout, or this one of another version, has a share. There
        is room for one challenger only, and one without a share makes room."""
        self._service.check_model(candidate.name)
        state: State = seen.state
        same = state.challenger == candidate.version and rollout_id in (None, state.rollout_id)
        if state.open and not same:
            raise RolloutRefused(
                f"Rollout {state.rollout_id} of version {state.challenger} is open at {self._service.place}; "
                f"conclude it before {candidate} is put beside the champion."
            )

    def _check_beside(self, seen: Seen, rollout_id: str, candidate: ModelRef) -> None:
        self._check_open(seen, rollout_id, candidate)
        if seen.state.champion is None:
            raise RolloutRefused("There is no champion to compare with; a first model is promoted at once.")
        if seen.state.champion == candidate.version:
            raise RolloutRefused(
                f"Version {candidate.version} is the champion already; there is nothing to roll out."
            )

    def _check_cluster(self) -> None:
        if not self._checked:
            check_definition(self._api.get(CUSTOM_RESOURCES, None, DEFINITION), self._settings.mode)
            self._checked = True

    def _ref(self, version: str | None) -> ModelRef | None:
        return None if version is None else ModelRef(self._settings.model, version)


def _percent(weight: float) -> int:
    percent = round(weight * 100)
    if abs(percent - weight * 100) > _ENOUGH * 100:
        raise RolloutRefused(
            f"KServe splits by whole percents, and {weight:g} is none: take steps of hundredths, or a target "
            "of type kubernetes."
        )
    return percent
