"""What an InferenceService says: who is served, in which rollout, and what of it is in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_mlops.backends.kserve.manifests import version_of
from airflow_mlops.backends.kube.api import Object

_CHAMPION, _CHALLENGER, _ROLLOUT, _MODE, _SINCE, _BASELINE, _REVISION = (
    f"airflow-mlops/{name}"
    for name in ("champion", "challenger", "rollout", "mode", "since", "baseline", "revision-before")
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the champion of serverless mode is served by, for the way back."""

    revision: str | None
    predictor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """The notes of a rollout. ``challenger`` is set as soon as it was written into the spec, ``open`` once it
    was given a weight. ``revision_before`` is the newest revision when the spec was last given another
    version: a status that still names it is of the time before."""

    champion: str | None = None
    challenger: str | None = None
    rollout_id: str | None = None
    open: bool = False
    since: datetime | None = None
    baseline: Baseline | None = None
    revision_before: str | None = None

    def annotations(self) -> dict[str, str | None]:
        """As a merge patch has them: null where there is nothing to note."""
        return {
            _CHAMPION: self.champion,
            _CHALLENGER: self.challenger,
            _ROLLOUT: self.rollout_id,
            _MODE: "canary" if self.open else None,
            _SINCE: None if self.since is None else self.since.isoformat(),
            _BASELINE: None
            if self.baseline is None
            else json.dumps([self.baseline.revision, dict(self.baseline.predictor)], sort_keys=True),
            _REVISION: self.revision_before,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """An InferenceService as it was read. ``body`` is empty where there is none yet."""

    state: State = State()
    body: Object = field(default_factory=dict)

    @property
    def predictor(self) -> Object:
        found: Object = (self.body.get("spec") or {}).get("predictor") or {}
        return found

    @property
    def canaries(self) -> list[Object]:
        found: list[Object] = (self.body.get("spec") or {}).get("canary") or []
        return found

    @property
    def status(self) -> Object:
        found: Object = self.body.get("status") or {}
        return found

    @property
    def component(self) -> Object:
        """What the status tells of the predictor."""
        found: Object = (self.status.get("components") or {}).get("predictor") or {}
        return found

    @property
    def percent(self) -> int:
        """The challenger's share as the spec has it."""
        if not self.state.open:
            return 0
        for one in self.canaries:
            if version_of(one["predictor"]) == self.state.challenger:
                return int(one["trafficPercent"])
        return int(self.predictor.get("canaryTrafficPercent") or 0)


def read(body: Object | None) -> Seen:
    """Raises ``ValueError`` for notes that are not ours."""
    if body is None:
        return Seen()
    noted = body["metadata"].get("annotations") or {}
    since, baseline = noted.get(_SINCE), noted.get(_BASELINE)
    state = State(
        noted.get(_CHAMPION),
        noted.get(_CHALLENGER),
        noted.get(_ROLLOUT),
        noted.get(_MODE) == "canary",
        None if since is None else datetime.fromisoformat(since),
        None if baseline is None else Baseline(*json.loads(baseline)),
        noted.get(_REVISION),
    )
    return Seen(state, body)
