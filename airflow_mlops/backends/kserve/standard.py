"""KServe on Deployments: the challenger is an entry of ``spec.canary``, beside the champion's predictor."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlops.backends.kserve.definition import ROUTED_SINCE
from airflow_mlops.backends.kserve.judging import failure, unready_canary, unrouted_services
from airflow_mlops.backends.kserve.manifests import Manifests, predictor_name, replacing, version_of
from airflow_mlops.backends.kserve.service import Change
from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.backends.kserve.state import Seen, State
from airflow_mlops.backends.kube.api import HTTP_ROUTES, KubeApi, Object
from airflow_mlops.backends.kube.pods import Pods
from airflow_mlops.backends.kube.progress import ready
from airflow_mlops.exceptions import ModelRefused


class Standard:
    """The list of canaries is atomic and is always sent whole. A canary says its number of pods: without one
    KServe takes the share of the champion's, which is none at nought percent. A promotion moves the canary's
    predictor, name and all, to the champion's place, so that its pods stay."""

    def __init__(self, api: KubeApi, settings: KServeSettings, manifests: Manifests, pods: Pods) -> None:
        self._api = api
        self._settings = settings
        self._manifests = manifests
        self._pods = pods

    def start(self, seen: Seen, version: str, rollout_id: str | None) -> Change | None:
        state, predictor = seen.state, self._manifests.predictor(version)
        if version in (version_of(seen.predictor), *map(_version, seen.canaries)):
            if rollout_id is None or state.rollout_id == rollout_id or state.champion == version:
                return None
            return replace(state, rollout_id=rollout_id), {}
        noted = State(state.champion, version, rollout_id)
        if state.champion is None:
            return noted, {"predictor": replacing(seen.predictor, predictor)}
        return noted, {"canary": [{"trafficPercent": 0, "predictor": predictor}]}

    def not_up(self, seen: Seen, version: str) -> str | None:
        is_canary = version in map(_version, seen.canaries)
        if not is_canary and version_of(seen.predictor) != version:
            return f"its spec holds version {version_of(seen.predictor)}, not {version}"
        why = None
        if is_canary:
            why = unready_canary(seen, predictor_name(version), _percent(seen))
        if why is None and not ready(self._pods.of(version)):
            why = f"no pod of version {version} takes requests"
        if why is None:
            return None
        statuses = seen.status.get("canaryStatuses") or ()
        models = [one.get("modelStatus") for one in statuses if one["name"] == predictor_name(version)]
        for model in models if is_canary else [seen.status.get("modelStatus")]:
            if (said := failure(model)) is not None:
                raise ModelRefused(f"Version {version} does not come up: KServe says {said}")
        self._pods.check_not_stuck(version)
        return why

    def weigh(self, seen: Seen, percent: int) -> Change:
        (canary,) = seen.canaries
        return seen.state, {"canary": [{**canary, "trafficPercent": percent}]}

    def unrouted(self, seen: Seen, percent: int) -> str | None:
        route = self._api.get(HTTP_ROUTES, self._settings.namespace, self._settings.base)
        wanted = {self._service(seen.predictor): 100 - percent if seen.canaries else 100}
        for one in seen.canaries:
            wanted[self._service(one["predictor"])] = percent
        why = unrouted_services(route, wanted)
        if why is None and len(seen.status.get("canaryStatuses") or ()) != len(seen.canaries):
            return "its status tells of other canaries than its spec"
        if why is not None and route is None:
            return f"{why}: KServe must be set up with the Gateway API (enableGatewayApi)"
        return f"{why}. {ROUTED_SINCE}" if why is not None and percent and seen.canaries else why

    def finish(self, seen: Seen, version: str) -> Change:
        state = State(champion=version)
        for one in seen.canaries:
            if _version(one) == version:
                return state, {"predictor": replacing(seen.predictor, one["predictor"]), "canary": []}
        return state, {"canary": []}

    def restore(self, seen: Seen) -> Change | None:
        return (seen.state, {"canary": []}) if seen.canaries else None

    def clear(self, seen: Seen) -> Change:
        return State(champion=seen.state.champion), {}

    def _service(self, predictor: Object) -> str:
        name = predictor.get("name")
        return f"{self._settings.base}-{name}-predictor" if name else f"{self._settings.base}-predictor"


def _version(canary: Object) -> str | None:
    return version_of(canary["predictor"])


def _percent(seen: Seen) -> int:
    return int(seen.canaries[0]["trafficPercent"])
