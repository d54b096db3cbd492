"""A batch model as a serving target: its traffic is the registry's alias, its requests are rows to score.

There is no server. The score DAG asks the alias who the champion is and shows a share of the rows to the
challenger. What it saw lies in the store, and so does which rollout is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_mlops.backends.base import ObjectStore, ServingEndpoint
from airflow_mlops.backends.batch_shadow import counts_of, shadow_key
from airflow_mlops.backends.tracking import LoadedModel, Tracking
from airflow_mlops.core.scored import ShadowCounts
from airflow_mlops.core.values import ArmObservation, Deployment, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused


@dataclass(frozen=True, slots=True)
class _Open:
    """The shadow of one rollout, since a moment."""

    rollout_id: str
    version: str
    since: datetime


class BatchTarget:
    """Nothing is served between two runs of the score DAG, so a change is done when it is written down; each
    is read back all the same. A rollout here has a shadow and no canary."""

    def __init__(self, endpoint: ServingEndpoint, store: ObjectStore, tracking: Tracking) -> None:
        self._model = endpoint.model
        self._trusted = tuple(endpoint.settings.get("trusted_types", ()))
        self._store = store
        self._tracking = tracking
        self._key = f"serving/{endpoint.model}/rollout.json"

    def traffic(self) -> Traffic:
        """The alias, and the rollout that is open."""
        champion, opened = self._tracking.alias(self._model, "champion"), self._opened()
        if opened is None:
            return Traffic(champion=champion)
        challenger = ModelRef(self._model, opened.version)
        return Traffic(champion, challenger, "shadow", 0.0, opened.rollout_id)

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        """Whether the candidate can be loaded. Raises ``ModelRefused`` where it cannot."""
        self._refuse_other(rollout_id)
        self._load(candidate)
        return Deployment(True, f"{candidate} can be loaded where rows are scored")

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Predict rows with the candidate, loaded as the score DAG will load it."""
        import pandas as pd

        model = self._load(candidate)
        if not rows:
            return []
        answers: list[Any] = model.predict(pd.DataFrame([dict(row) for row in rows])).tolist()
        return answers

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """Begin to count what the score DAG shows the candidate. Raises ``RolloutRefused`` for a canary."""
        if mode != "shadow" or weight:
            raise RolloutRefused(
                f"{self._model} is scored in batches, which have no {mode} at weight {weight:g}: a partition "
                "has one version's answers. Set deploy.strategy: shadow or direct"
            )
        opened = self._refuse_other(rollout_id)
        if opened is None or opened.version != candidate.version:
            self._load(candidate)
            now = datetime.now(timezone.utc)
            self._write({"rollout_id": rollout_id, "version": candidate.version, "since": now.isoformat()})
        traffic = self.traffic()
        if traffic.rollout_id != rollout_id:
            raise BackendUnavailable(
                f"the shadow of {candidate} was written down, but the store says {traffic}: somebody else "
                "opens rollouts of this model. Repeat the change"
            )
        return traffic

    def observe(self, rollout_id: str) -> Observation:
        """What the score DAG's runs have shown the challenger since the shadow began; a partition that was
        scored twice counts once. Mode ``none`` and no arms where this rollout is not open."""
        opened = self._opened()
        if opened is None or opened.rollout_id != rollout_id:
            now = datetime.now(timezone.utc)
            return Observation(rollout_id, "none", 0.0, now, champion=None, challenger=None)
        seen = [counts for counts in self._counts(opened.version) if counts.scored_at >= opened.since]
        champion = self._tracking.alias(self._model, "champion")
        return Observation(
            rollout_id,
            "shadow",
            0.0,
            opened.since,
            champion=_together(champion.version if champion else "", [counts.champion for counts in seen]),
            challenger=_together(opened.version, [counts.challenger for counts in seen]),
            disagreements=sum(counts.disagreements for counts in seen),
        )

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """The alias says the candidate, and no rollout is open."""
        self._refuse_other(rollout_id)
        champion = self._tracking.alias(self._model, "champion")
        if champion is None or champion.version != candidate.version:
            self._load(candidate)
            self._tracking.set_alias(self._model, "champion", candidate.version)
        self._close()
        return self.traffic()

    def roll_back(self, rollout_id: str) -> Traffic:
        """Nothing is shown on behalf of this rollout any more."""
        opened = self._opened()
        if opened is not None and opened.rollout_id == rollout_id:
            self._close()
        return self.traffic()

    def _load(self, candidate: ModelRef) -> LoadedModel:
        if candidate.name != self._model:
            raise ModelRefused(f"this is where {self._model} is scored, not {candidate.name}")
        uri = f"models:/{candidate.name}/{candidate.version}"
        return self._tracking.load(uri, trusted_types=self._trusted)

    def _refuse_other(self, rollout_id: str) -> _Open | None:
        """The open rollout, if it is this one. Raises ``RolloutRefused`` where it is another."""
        opened = self._opened()
        if opened is not None and opened.rollout_id != rollout_id:
            raise RolloutRefused(
                f"rollout {opened.rollout_id} of version {opened.version} is open; promote it or roll it "
                "back first"
            )
        return opened

    def _opened(self) -> _Open | None:
        try:
            kept = self._store.get(self._key)
        except KeyError:
            return None
        try:
            told = json.loads(kept)
            if told["rollout_id"] is None:
                return None
            return _Open(told["rollout_id"], told["version"], datetime.fromisoformat(told["since"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BackendUnavailable(
                f"{self._key} in the store does not say which rollout is open ({error}); roll the rollout "
                "back by hand, then move the file away"
            ) from error

    def _close(self) -> None:
        if self._opened() is not None:
            self._write({"rollout_id": None})

    def _write(self, told: Mapping[str, Any]) -> None:
        self._store.put(self._key, json.dumps(told, indent=2).encode())

    def _counts(self, version: str) -> Iterable[ShadowCounts]:
        for key in self._store.keys(shadow_key(self._model, version)):
            yield counts_of(self._store.get(key))


def _together(version: str, arms: Sequence[ArmObservation]) -> ArmObservation:
    """One arm of what was seen in several partitions."""
    scored = [(arm.mean_score, arm.rows - arm.errors) for arm in arms if arm.mean_score is not None]
    answered = sum(rows for _, rows in scored)
    return ArmObservation(
        version=version,
        rows=sum(arm.rows for arm in arms),
        errors=sum(arm.errors for arm in arms),
        mean_score=sum(mean * rows for mean, rows in scored) / answered if answered else None,
        scores=tuple(map(sum, zip(*(arm.scores for arm in arms), strict=True))) if arms else (),
    )
