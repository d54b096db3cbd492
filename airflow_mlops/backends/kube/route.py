"""What an HTTPRoute says: who is served, by which weights, in which rollout; whether its Gateway took it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_mlops.backends.kube.api import Object
from airflow_mlops.backends.kube.settings import GatewayRef
from airflow_mlops.core.values import RolloutMode

_CHAMPION, _CHALLENGER, _ROLLOUT, _SINCE, _PREVIOUS = (
    f"airflow-mlops/{name}" for name in ("champion", "challenger", "rollout", "since", "previous")
)


class ForeignRoute(Exception):
    """A route that somebody else has changed into what no rollout makes of it."""


@dataclass(frozen=True, slots=True)
class RouteState:
    """Who answers. ``weight`` is the challenger's share. ``since`` is when the stage began, ``previous`` the
    champion before, which is held for the way back."""

    champion: str | None = None
    challenger: str | None = None
    mode: RolloutMode = "none"
    weight: float = 0.0
    rollout_id: str | None = None
    since: datetime | None = None
    previous: str | None = None

    def annotations(self) -> dict[str, str]:
        """What the route's spec cannot hold."""
        found = {
            _CHAMPION: self.champion,
            _CHALLENGER: self.challenger,
            _ROLLOUT: self.rollout_id,
            _SINCE: None if self.since is None else self.since.isoformat(),
            _PREVIOUS: self.previous,
        }
        return {name: value for name, value in found.items() if value is not None}


def read_state(route: Object, version_of: Callable[[str], str | None]) -> RouteState:
    """The state of a route. Versions, mode and weight are those of the spec, not those that were asked for;
    ``version_of`` gives the version of a Service. Raises ``ForeignRoute``."""
    noted = route["metadata"].get("annotations") or {}
    champion, challenger = noted.get(_CHAMPION), noted.get(_CHALLENGER)
    weights, mirrored = _routed(route, version_of)
    strangers = sorted((weights.keys() | mirrored) - {champion, challenger})
    if champion is None or champion not in weights or strangers:
        others = f" and {', '.join(strangers)}" if strangers else ""
        raise ForeignRoute(
            f"it routes to version {', '.join(sorted(weights)) or 'none'}{others}, but is noted to serve "
            f"version {champion} with challenger {challenger}"
        )
    since = noted.get(_SINCE)
    mode: RolloutMode = "none"
    if challenger in mirrored:
        mode = "shadow"
    elif challenger in weights:
        mode = "canary"
    total = sum(weights.values())
    return RouteState(
        champion,
        challenger,
        mode,
        weights.get(challenger, 0) / total if challenger is not None and total else 0.0,
        noted.get(_ROLLOUT),
        None if since is None else datetime.fromisoformat(since),
        noted.get(_PREVIOUS),
    )


def unaccepted(route: Object, gateway: GatewayRef) -> str | None:
    """Why the route is not in force yet at its present generation; None if it is.

    The status of an older generation says nothing, and neither does one of another Gateway."""
    for wanted in ("Accepted", "ResolvedRefs"):
        found = list(_conditions(route, gateway, wanted))
        if not found:
            return f"{gateway} has not said {wanted} yet"
        for one in found:
            if one["status"] != "True":
                why = f"{one.get('reason', '')}: {one.get('message', '')}".rstrip(": ")
                return f"{gateway} says {wanted} is {one['status']} ({why})"
    return None


def _routed(route: Object, version_of: Callable[[str], str | None]) -> tuple[dict[str, int], set[str]]:
    """The weight of each version, and the versions that get copies."""
    weights: dict[str, int] = {}
    mirrored: set[str] = set()
    for rule in route["spec"].get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            weights[_version(backend, version_of)] = backend.get("weight", 1)
        for one in rule.get("filters") or ():
            if one["type"] == "RequestMirror":
                mirrored.add(_version(one["requestMirror"]["backendRef"], version_of))
    return weights, mirrored


def _version(backend: Any, version_of: Callable[[str], str | None]) -> str:
    version = version_of(backend["name"])
    if version is None:
        raise ForeignRoute(f"it routes to {backend['name']}, which serves no version of this model")
    return version


def _conditions(route: Object, gateway: GatewayRef, kind: str) -> Iterator[Object]:
    metadata = route["metadata"]
    for parent in (route.get("status") or {}).get("parents") or ():
        reference = parent["parentRef"]
        place = reference.get("namespace") or metadata["namespace"]
        if (reference["name"], place) != (gateway.name, gateway.namespace):
            continue
        for one in parent["conditions"]:
            if one["type"] == kind and one.get("observedGeneration") == metadata["generation"]:
                yield one
