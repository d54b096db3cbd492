"""KServe on Knative: the spec holds the newest version, and ``canaryTrafficPercent`` is its share."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlops.backends.kserve.judging import failure, unready_revision, unrouted_revision
from airflow_mlops.backends.kserve.manifests import Manifests, replacing, version_of
from airflow_mlops.backends.kserve.service import Change
from airflow_mlops.backends.kserve.state import Baseline, Seen, State
from airflow_mlops.backends.kube.api import Object
from airflow_mlops.backends.kube.pods import Pods
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused

_PERCENT = "canaryTrafficPercent"


class Serverless:
    """Knative gives the share to the newest revision *that is ready*, and the rest to the one that had all
    requests last. So a version is written together with a share of nought, gets more when it is ready, and
    whoever takes a version out of the spec again leaves the share at nought until the other one is ready."""

    def __init__(self, manifests: Manifests, pods: Pods) -> None:
        self._manifests = manifests
        self._pods = pods

    def start(self, seen: Seen, version: str, rollout_id: str | None) -> Change | None:
        state = seen.state
        if version_of(seen.predictor) == version:
            if rollout_id is None or state.rollout_id == rollout_id or state.champion == version:
                return None
            return replace(state, rollout_id=rollout_id), {}
        predictor = self._manifests.predictor(version)
        noted = State(
            champion=state.champion,
            challenger=version,
            rollout_id=rollout_id,
            baseline=state.baseline,
            revision_before=seen.component.get("latestCreatedRevision"),
        )
        if state.champion is None:
            return noted, {"predictor": replacing(seen.predictor, predictor)}
        rolled_out = seen.component.get("latestRolledoutRevision")
        if rolled_out is None:
            raise BackendUnavailable(
                "KServe has not noted yet which revision the champion is (status.components.predictor."
                "latestRolledoutRevision), and would give the challenger all requests; repeat it in a moment"
            )
        baseline = state.baseline or Baseline(rolled_out, _without_share(seen.predictor))
        wanted = {**predictor, _PERCENT: 0}
        return replace(noted, baseline=baseline), {"predictor": replacing(seen.predictor, wanted)}

    def not_up(self, seen: Seen, version: str) -> str | None:
        if version_of(seen.predictor) != version:
            return f"its spec holds version {version_of(seen.predictor)}, not {version}"
        why = unready_revision(seen)
        if why is None:
            return None
        created = seen.component.get("latestCreatedRevision")
        model = seen.status.get("modelStatus") or {}
        about = (model.get("lastFailureInfo") or {}).get("modelRevisionName")
        # What the status says of the revision before is no word about this one.
        if created != seen.state.revision_before and about in (None, created) and (said := failure(model)):
            raise ModelRefused(f"Version {version} does not come up: KServe says {said}")
        if model.get("transitionStatus") == "InvalidSpec" and created == seen.state.revision_before:
            why = f"{why}; it says {failure(model)}"
        self._pods.check_not_stuck(version)
        return why

    def weigh(self, seen: Seen, percent: int) -> Change:
        return seen.state, {"predictor": {_PERCENT: percent}}

    def unrouted(self, seen: Seen, percent: int) -> str | None:
        baseline = seen.state.baseline
        if baseline is None:
            rolled_out = seen.component.get("latestRolledoutRevision")
            if unready_revision(seen) is None and rolled_out != seen.component.get("latestReadyRevision"):
                return f"KServe has {rolled_out} for the revision that has all requests"
            return unrouted_revision(seen, 100, None)
        return unrouted_revision(seen, percent, baseline.revision)

    def finish(self, seen: Seen, version: str) -> Change:
        state = State(champion=version, revision_before=seen.state.revision_before)
        return state, {"predictor": {_PERCENT: None}}

    def restore(self, seen: Seen) -> Change | None:
        state = seen.state
        if state.baseline is None or version_of(seen.predictor) == state.champion:
            return None
        wanted = {**state.baseline.predictor, _PERCENT: 0}
        noted = replace(state, revision_before=seen.component.get("latestCreatedRevision"))
        return noted, {"predictor": replacing(seen.predictor, wanted)}

    def clear(self, seen: Seen) -> Change:
        state = State(champion=seen.state.champion, revision_before=seen.state.revision_before)
        return state, {"predictor": {_PERCENT: None}}


def _without_share(predictor: Object) -> Object:
    return {name: value for name, value in predictor.items() if name != _PERCENT}
