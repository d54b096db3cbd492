"""Kubernetes as a serving target: a Deployment for each version, behind one HTTPRoute of the Gateway API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.kube.access import connection_access
from airflow_mlops.backends.kube.api import HTTP_ROUTES, KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.counting import counting
from airflow_mlops.backends.kube.manifests import Manifests, written_weight
from airflow_mlops.backends.kube.route import ForeignRoute, RouteState, read_state, unaccepted
from airflow_mlops.backends.kube.settings import KubernetesSettings
from airflow_mlops.backends.kube.versions import Versions
from airflow_mlops.backends.kube.words import refused
from airflow_mlops.core.values import Deployment, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused, RolloutRefused

_POLL_SECONDS = 1.0
_ACCEPTING_SECONDS = 60.0
_TRIES = 5


class KubernetesTarget:
    """One model's HTTPRoute and the Deployments behind it.

    The route is the state: weights and mirror are read back from its spec, and the rollout, its stage's
    beginning and the champion before are annotations of it, written with the weights in one server-side
    apply. So each call may be repeated, by whichever process. Requests are split, not rows, and not by a
    key; the shadow's answers are dropped by the Gateway, so disagreements are not counted.

    Raises ``BackendUnavailable`` where the API server is away, or the cluster has not done in time what it
    was told (the same call goes on from there); ``ModelRefused`` with a pod's last words where a version
    does not come up; ``RolloutRefused`` where another rollout is open or another's fields are in the way.
    """

    def __init__(
        self, endpoint: ServingEndpoint, *, api: KubeApi | None = None, poll_seconds: float = _POLL_SECONDS
    ) -> None:
        access = connection_access(endpoint.url, endpoint.token, endpoint.extra)
        self._api = api or KubeApi(access)
        self._settings = KubernetesSettings.of(endpoint, access.namespace)
        self._manifests = Manifests(self._settings)
        self._versions = Versions(self._api, self._settings, self._manifests, poll_seconds)
        self._counting = counting(self._api, self._settings, self._manifests)
        self._poll_seconds = poll_seconds

    def traffic(self) -> Traffic:
        """What the route says. Its Gateway may be behind: the calls that change something wait for it."""
        return self._traffic(self._state()[0])

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        """Make the version's Deployment and Service, without a weight, and say how far they are."""
        self._check_open(self._state()[0], rollout_id, candidate)
        self._versions.make(candidate.version, rollout_id)
        found = self._versions.progress(candidate.version)
        return Deployment(found.ready, f"{self._manifests.name(candidate.version)}: {found.said}")

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Bring the version up, if it is not, and ask one of its pods through the API server."""
        self._check_model(candidate)
        self._versions.bring_up(candidate.version)
        return self._versions.pods.smoke(candidate, rows)

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """Write the route and wait until its Gateway has taken it; nothing is written where it says so
        already. The stage's counters begin anew before the first request of it."""
        self._check_beside(self._state()[0], rollout_id, candidate)
        self._versions.bring_up(candidate.version, rollout_id)

        def change(state: RouteState) -> RouteState:
            self._check_beside(state, rollout_id, candidate)
            wanted = RouteState(
                state.champion,
                candidate.version,
                "shadow" if mode == "shadow" else "canary",
                0.0 if mode == "shadow" else written_weight(weight),
                rollout_id,
                state.since,
                state.previous,
            )
            if wanted == state:
                return state
            self._versions.pods.check_same_requests(state.champion or "", candidate.version)
            since = datetime.now(timezone.utc)
            self._counting.begin(since, [state.champion or "", candidate.version])
            return replace(wanted, since=since)

        return self._change(change)

    def observe(self, rollout_id: str) -> Observation:
        """What the pods have counted in the open stage; mode ``none`` and no arms if this rollout is not
        open. Raises ``ModelRefused`` where the challenger's pods have come down."""
        state, _ = self._state()
        if state.rollout_id != rollout_id or state.challenger is None or state.champion is None:
            return Observation(rollout_id, "none", 0.0, datetime.now(timezone.utc), None, None)
        if state.since is None:
            raise self._foreign("its rollout has no beginning")
        self._versions.progress(state.challenger)
        seen = self._counting.look(state.since, [state.champion, state.challenger])
        return Observation(
            rollout_id,
            state.mode,
            state.weight,
            state.since,
            seen.arm(state.champion),
            seen.arm(state.challenger),
            disagreements=None,
            latency_edges=seen.edges,
        )

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """Bring the version up, give it all requests, and only then deal with the champion before."""
        self._check_open(self._state()[0], rollout_id, candidate)
        self._versions.bring_up(candidate.version, rollout_id)

        def change(state: RouteState) -> RouteState:
            self._check_open(state, rollout_id, candidate)
            version = candidate.version
            before = state.previous if state.champion == version else state.champion
            return RouteState(champion=version, previous=before if before != version else None)

        traffic = self._change(change)
        state, _ = self._state()
        self._versions.tidy(candidate.version, state.previous)
        self._counting.end()
        return traffic

    def roll_back(self, rollout_id: str) -> Traffic:
        """All requests to the champion, whoever has written the route since, and the challenger's objects
        removed. What was made for this rollout and never got a weight is removed as well."""

        def change(state: RouteState) -> RouteState:
            if state.rollout_id != rollout_id:
                return state
            return RouteState(champion=state.champion, previous=state.previous)

        state, _ = self._state()
        challenger = state.challenger if state.rollout_id == rollout_id else None
        traffic = self._change(change, force=True) if challenger is not None else self._traffic(state)
        serving = {state.champion, state.previous}
        if state.rollout_id not in (None, rollout_id):
            serving.add(state.challenger)
        self._versions.remove_rollout(rollout_id, challenger, serving)
        if challenger is not None:
            self._counting.end()
        return traffic

    def _change(self, change: Callable[[RouteState], RouteState], *, force: bool = False) -> Traffic:
        """Write what ``change`` makes of the route's state, wait for the Gateway, and read it back. Where
        somebody else writes in between, the change is made anew of what he has written."""
        for _ in range(_TRIES):
            state, route = self._state()
            wanted = change(state)
            try:
                if wanted != state:
                    route = self._write(wanted, route, force=force)
            except KubeRefused as error:
                if error.code == 409 and not error.owners:
                    continue
                raise refused(error, f"HTTPRoute {self._place}") from error
            if route is not None:
                self._wait_accepted(route)
            seen, _ = self._state()
            if seen == wanted:
                return self._traffic(seen)
        raise BackendUnavailable(
            f"HTTPRoute {self._place} is being changed by somebody else all the time; look who that is with "
            f"`kubectl get httproute {self._settings.base} --show-managed-fields -o yaml`, then repeat it"
        )

    def _write(self, state: RouteState, route: Object | None, *, force: bool) -> Object:
        version = None if route is None else route["metadata"]["resourceVersion"]
        body = self._manifests.route(state, version)
        return self._api.apply(HTTP_ROUTES, self._settings.namespace, body, force=force)

    def _wait_accepted(self, route: Object) -> None:
        deadline = time.monotonic() + min(_ACCEPTING_SECONDS, self._settings.timeout_seconds)
        found: Object | None = route
        while found is not None and (why := unaccepted(found, self._settings.gateway)) is not None:
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"HTTPRoute {self._place} is written, but {why}. Look at the Gateway and at its "
                    "controller; the same call goes on from here."
                )
            time.sleep(self._poll_seconds)
            found = self._api.get(HTTP_ROUTES, self._settings.namespace, self._settings.base)

    def _state(self) -> tuple[RouteState, Object | None]:
        route = self._api.get(HTTP_ROUTES, self._settings.namespace, self._settings.base)
        if route is None:
            return RouteState(), None
        try:
            return read_state(route, self._manifests.version), route
        except ForeignRoute as error:
            raise self._foreign(str(error)) from error

    def _traffic(self, state: RouteState) -> Traffic:
        if state.rollout_id is None:
            return Traffic(self._ref(state.champion))
        return Traffic(
            self._ref(state.champion),
            self._ref(state.challenger),
            state.mode,
            state.weight,
            state.rollout_id,
        )

    def _check_open(self, state: RouteState, rollout_id: str, candidate: ModelRef) -> None:
        """Raises ``RolloutRefused`` where another rollout, or this one of another version, is open."""
        self._check_model(candidate)
        if state.rollout_id is not None and (state.rollout_id, state.challenger) != (
            rollout_id,
            candidate.version,
        ):
            raise RolloutRefused(
                f"Rollout {state.rollout_id} of version {state.challenger} is open ({state.mode}) at "
                f"HTTPRoute {self._place}; conclude it before rollout {rollout_id} of {candidate}."
            )

    def _check_beside(self, state: RouteState, rollout_id: str, candidate: ModelRef) -> None:
        self._check_open(state, rollout_id, candidate)
        if state.champion is None:
            raise RolloutRefused("There is no champion to compare with; a first model is promoted at once.")
        if state.champion == candidate.version:
            raise RolloutRefused(
                f"Version {candidate.version} is the champion already; there is nothing to roll out."
            )

    def _check_model(self, candidate: ModelRef) -> None:
        if candidate.name != self._settings.model:
            raise ModelRefused(
                f"HTTPRoute {self._place} serves {self._settings.model}, not {candidate.name}."
            )

    def _foreign(self, reason: str) -> ConfigError:
        return ConfigError(
            f"HTTPRoute {self._place} was changed by somebody else: {reason}. Put it back, or delete it and "
            "promote the champion again."
        )

    def _ref(self, version: str | None) -> ModelRef | None:
        return None if version is None else ModelRef(self._settings.model, version)

    @property
    def _place(self) -> str:
        return f"{self._settings.namespace}/{self._settings.base}"
