"""What is still missing until an InferenceService does what its spec says. Pure: fed with what was read.

``Ready`` is not among what is looked at: it says True of the revision before while the next one is loading
(kserve#1859, kserve#1658). ``observedGeneration`` is that of the Knative Service or Deployment below, which
counts by itself, so it is compared with nothing either; names of revisions, and shares, are.
"""

from __future__ import annotations

from typing import Any

from airflow_mlops.backends.kserve.state import Seen
from airflow_mlops.backends.kube.api import Object

_FAILED = ("BlockedByFailedLoad", "InvalidSpec")


def failure(model_status: Any) -> str | None:
    """Why a version will not come up, as the model's status has it; None while it may."""
    found = model_status or {}
    if found.get("transitionStatus") not in _FAILED:
        return None
    info = found.get("lastFailureInfo") or {}
    said = ": ".join(part for part in (info.get("reason"), info.get("message")) if part)
    return f"{found['transitionStatus']} ({said})" if said else str(found["transitionStatus"])


def unready_revision(seen: Seen) -> str | None:
    """Why the revision of the present spec is not up; None if it is."""
    component, before = seen.component, seen.state.revision_before
    created, ready = component.get("latestCreatedRevision"), component.get("latestReadyRevision")
    if created is None or created == before:
        return "KServe has made no revision of it yet"
    if created != ready:
        return f"revision {created} is not ready"
    return None


def unrouted_revision(seen: Seen, percent: int, rest: str | None) -> str | None:
    """Why the newest revision has not that share, and revision ``rest`` the rest of it; None if so."""
    newest = seen.component.get("latestReadyRevision")
    shares: dict[str, int] = {}
    for one in seen.component.get("traffic") or ():
        name = one.get("revisionName") or (newest if one.get("latestRevision") else None) or "?"
        shares[name] = shares.get(name, 0) + int(one.get("percent") or 0)
    wanted = {str(newest): percent}
    if percent < 100:
        wanted[str(rest)] = wanted.get(str(rest), 0) + 100 - percent
    shown = {name: share for name, share in shares.items() if share}
    if shown != {name: share for name, share in wanted.items() if share}:
        said = ", ".join(f"{share} % to {name}" for name, share in sorted(shown.items())) or "nothing"
        return f"its status says that requests go {said}"
    return None


def unready_canary(seen: Seen, name: str, percent: int) -> str | None:
    """Why a canary of Standard mode is not up with its share; None if it is."""
    for one in seen.status.get("canaryStatuses") or ():
        if one["name"] == name:
            if one["trafficPercent"] != percent:
                return f"canary {name} is still told of {one['trafficPercent']} %"
            return None if one["ready"] else f"canary {name} is not ready"
    return f"KServe has not said anything of canary {name}"


def unrouted_services(route: Object | None, wanted: dict[str, int]) -> str | None:
    """Why a route of Standard mode does not split requests so between Services; None if it does."""
    if route is None:
        return "there is no HTTPRoute"
    shares: dict[str, int] = {}
    backends = [one for rule in route["spec"].get("rules") or () for one in rule.get("backendRefs") or ()]
    for one in backends:
        shares[one["name"]] = one.get("weight", 1)
    total = sum(shares.values()) or 1
    shown = {name: round(100 * share / total) for name, share in shares.items() if share}
    if shown != {name: share for name, share in wanted.items() if share}:
        said = ", ".join(f"{share} % to {name}" for name, share in sorted(shown.items())) or "nothing"
        return f"the HTTPRoute gives {said}"
    generation = route["metadata"]["generation"]
    parents = (route.get("status") or {}).get("parents") or []
    if not parents or not all(_accepted(one, generation) for one in parents):
        return "no Gateway has accepted the HTTPRoute as it is now"
    return None


def _accepted(parent: Object, generation: int) -> bool:
    return any(
        one["type"] == "Accepted" and one["status"] == "True" and one.get("observedGeneration") == generation
        for one in parent.get("conditions") or ()
    )
