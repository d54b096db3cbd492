"""An endpoint of Amazon SageMaker as a serving target, each change read back from AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Literal

from airflow_mlops.backends.base import ServingEndpoint
from airflow_mlops.backends.sagemaker.endpoint import Endpoint, Seen
from airflow_mlops.backends.sagemaker.guarded import GuardedUpdates
from airflow_mlops.backends.sagemaker.metrics import LATENCY_EDGES, Metrics
from airflow_mlops.backends.sagemaker.models import Models
from airflow_mlops.backends.sagemaker.note import Note
from airflow_mlops.backends.sagemaker.rules import (
    is_same,
    refuse_other_rollout,
    refuse_stranger,
    traffic_of,
)
from airflow_mlops.backends.sagemaker.session import Aws
from airflow_mlops.backends.sagemaker.settings import Settings
from airflow_mlops.backends.sagemaker.variants import alone
from airflow_mlops.backends.sagemaker.way import Candidate, Way
from airflow_mlops.backends.sagemaker.weights import VariantWeights
from airflow_mlops.backends.tracking import Tracking
from airflow_mlops.core.values import Deployment, ModelRef, Observation, Traffic
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused

_BETWEEN_LOOKS_SECONDS = 10.0


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class SageMakerTarget:
    """One endpoint, which serves the one model of its ``ServingEndpoint``.

    Who is champion, and which rollout is open, is noted in the endpoint's tags before traffic moves; what is
    served is read from its variants. An update that SageMaker rolled back is ``ModelRefused``, although the
    endpoint is in service again. All raise ``BackendUnavailable`` where AWS is away, and ``ConfigError``
    where it refuses who asks.
    """

    def __init__(
        self,
        endpoint: ServingEndpoint,
        tracking: Tracking,
        *,
        aws: Aws | None = None,
        now: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        settings = Settings.read(endpoint.model, endpoint.settings)
        self._aws = aws or Aws(endpoint.extra, sleep)
        self._settings = settings
        self._models = Models(self._aws, settings, tracking)
        self._now = now
        self._sleep = sleep
        self._endpoint = self._named(settings.endpoint)
        self._way: Way = VariantWeights(self._endpoint, settings)
        if settings.guardrails is not None:
            trial = self._named(f"{settings.endpoint}-candidate")
            self._way = GuardedUpdates(self._endpoint, trial, settings, settings.guardrails)

    def traffic(self) -> Traffic:
        """What the endpoint serves now, in the middle of a change as well."""
        return self._traffic(self._look())

    def deploy(self, rollout_id: str, candidate: ModelRef) -> Deployment:
        """Have SageMaker bring the candidate up; it takes minutes, which are not waited for."""
        self._check_model(candidate)
        seen = self._look()
        if seen is not None:
            refuse_other_rollout(seen.note, rollout_id, candidate.version)
        wanted = self._wanted(candidate)
        if seen is None:
            return self._create(rollout_id, wanted)
        if seen.note.champion is None:
            return self._first(seen, rollout_id, candidate)
        if seen.is_busy:
            return Deployment(False, f"endpoint {self._endpoint.name} is {seen.status}")
        if seen.is_broken:
            raise BackendUnavailable(self._endpoint.broken(seen))
        if candidate.version == seen.note.champion:
            return Deployment(True, f"{candidate} is the champion already")
        if (seen.note.rollout, seen.note.challenger) != (rollout_id or None, candidate.version):
            # Another rollout may try what SageMaker took back in an earlier one.
            known = Note(model=self._settings.model, champion=seen.note.champion)
            seen = replace(seen, note=known)
            seen = self._noted(seen, rollout=rollout_id or None, challenger=candidate.version)
        return self._way.bring_up(seen, wanted)

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Bring the candidate up, if it is not, and ask its variant by name, which no user's request does."""
        self._check_model(candidate)
        give_up = self._now() + self._settings.patience
        while True:
            deployment = self.deploy(self._rollout_of(candidate), candidate)
            if deployment.ready:
                break
            if self._now() >= give_up:
                raise BackendUnavailable(f"{candidate} is not up yet: {deployment.said}")
            self._sleep(_BETWEEN_LOOKS_SECONDS)
        place = self._way.place(self._endpoint.there(self._look()), candidate.version)
        if place is None:
            raise RolloutRefused(
                f"{candidate} cannot be asked alone: it is a shadow, or somebody took it down"
            )
        return self._models.predict(candidate, rows, endpoint=place[0], variant=place[1])

    def set_traffic(self, rollout_id: str, candidate: ModelRef, *, mode: str, weight: float) -> Traffic:
        """The rollout is noted as open, then traffic moves, then the stage's beginning is noted."""
        self._check_model(candidate)
        told: Literal["shadow", "canary"] = "shadow" if mode == "shadow" else "canary"
        weight = 0.0 if told == "shadow" else weight
        seen = self._settled()
        if seen is None or seen.note.champion is None:
            raise RolloutRefused("There is no champion to compare with; a first model is promoted at once.")
        refuse_other_rollout(seen.note, rollout_id, candidate.version)
        if candidate.version == seen.note.champion:
            raise RolloutRefused(f"{candidate} is the champion already; there is nothing to roll out.")
        champion = ModelRef(self._settings.model, seen.note.champion)
        wanted = Traffic(champion, candidate, told, weight, rollout_id)
        if is_same(self._traffic(seen), wanted):
            return self._traffic(seen)
        model = self._wanted(candidate)
        home = seen.note.home or seen.config
        seen = self._noted(
            seen, rollout=rollout_id, challenger=candidate.version, mode=told, since=self._now(), home=home
        )
        seen = self._way.shift(seen, model, told, weight)
        self._noted(seen, since=self._now())
        return self._read_back(wanted)

    def observe(self, rollout_id: str) -> Observation:
        """What CloudWatch counted in whole minutes since the stage's traffic had settled. A row is a request;
        what two versions answered to it is not compared."""
        seen = self._look()
        traffic = self._traffic(seen)
        if seen is None or traffic.rollout_id != rollout_id or seen.note.since is None:
            return Observation(rollout_id, "none", 0.0, self._now(), None, None)
        variants = {
            one.version: one.name
            for one in seen.variants
            if one.version is not None and one.version in (seen.note.champion, seen.note.challenger)
        }
        metrics = Metrics(self._aws, self._endpoint.name, self._settings.client_errors, self._now)
        arms = metrics.arms(variants, seen.note.since)
        return Observation(
            rollout_id,
            traffic.mode,
            traffic.weight,
            seen.note.since,
            arms.get(seen.note.champion or ""),
            arms.get(seen.note.challenger or ""),
            disagreements=None,
            latency_edges=LATENCY_EDGES,
        )

    def promote(self, rollout_id: str, candidate: ModelRef) -> Traffic:
        """The candidate answers every request, is noted as champion, and stands alone."""
        self._check_model(candidate)
        seen = self._settled()
        if seen is None:
            self._create(rollout_id, self._wanted(candidate))
            seen = self._endpoint.there(self._settled())
        refuse_other_rollout(seen.note, rollout_id, candidate.version)
        if seen.share(candidate.version) < 1.0:
            seen = self._way.crown(seen, self._wanted(candidate))
        seen = self._closed(seen, candidate.version)
        self._way.tidy(seen)
        return self._read_back(Traffic(champion=candidate))

    def roll_back(self, rollout_id: str) -> Traffic:
        """The champion answers every request and stands alone. A first model, which follows none, is taken
        down. Nothing happens if this rollout is not the endpoint's."""
        seen = self._look()
        if seen is None or seen.note.rollout not in (None, rollout_id):
            return self._traffic(seen)
        champion = seen.note.champion
        if champion is None:
            if seen.note.rollout == rollout_id:
                self._endpoint.delete()
            return Traffic(champion=None)
        seen = self._endpoint.there(self._settled())
        if seen.note.rollout == rollout_id:
            seen = self._closed(self._way.give_back(seen), champion)
        self._way.tidy(seen)
        return self._traffic(self._look())

    def _create(self, rollout_id: str, wanted: Candidate) -> Deployment:
        content = alone(self._settings, None, wanted.version, wanted.model_name)
        config = self._endpoint.configure(content)
        note = Note(model=self._settings.model, challenger=wanted.version, rollout=rollout_id)
        self._endpoint.create(config, note)
        return Deployment(False, f"endpoint {self._endpoint.name} is being made")

    def _first(self, seen: Seen, rollout_id: str, candidate: ModelRef) -> Deployment:
        """A first model's endpoint, which nobody uses yet."""
        name = self._endpoint.name
        if seen.status == "Deleting":
            return Deployment(False, f"endpoint {name} is being deleted")
        if seen.variant(candidate.version) is None:
            self._endpoint.delete()
            return Deployment(False, f"endpoint {name}, of a version that was never promoted, is deleted")
        if seen.is_broken:
            raise ModelRefused(self._endpoint.broken(seen))
        if seen.note.rollout != rollout_id:
            self._noted(seen, rollout=rollout_id, challenger=candidate.version)
        if seen.is_busy:
            return Deployment(False, f"endpoint {name} is {seen.status}")
        return Deployment(True, f"version {candidate.version} is up on endpoint {name}, which is new")

    def _rollout_of(self, candidate: ModelRef) -> str:
        """The rollout that the candidate was brought up for, if it was for one."""
        seen = self._look()
        return (seen.note.rollout or "") if seen and seen.note.challenger == candidate.version else ""

    def _traffic(self, seen: Seen | None) -> Traffic:
        return traffic_of(seen, self._settings.model)

    def _read_back(self, wanted: Traffic) -> Traffic:
        traffic = self._traffic(self._look())
        if not is_same(traffic, wanted):
            raise BackendUnavailable(
                f"The endpoint {self._endpoint.name} was told to serve {wanted}, but serves {traffic}. "
                "Somebody else may be moving its traffic; repeat the change."
            )
        return traffic

    def _noted(self, seen: Seen, **changed: Any) -> Seen:
        note = replace(seen.note, model=self._settings.model, **changed)
        self._endpoint.write(seen.arn, note)
        return replace(seen, note=note)

    def _closed(self, seen: Seen, champion: str) -> Seen:
        """The note of an endpoint without a rollout."""
        note = seen.note
        if (note.champion, note.challenger, note.rollout, note.mode) != (champion, None, None, "none"):
            note = Note(model=self._settings.model, champion=champion)
            self._endpoint.write(seen.arn, note)
        return replace(seen, note=note)

    def _look(self) -> Seen | None:
        return self._ours(self._endpoint.look())

    def _settled(self) -> Seen | None:
        return self._ours(self._endpoint.settled())

    def _ours(self, seen: Seen | None) -> Seen | None:
        if seen is not None:
            refuse_stranger(seen, self._endpoint.name, self._settings.model)
        return seen

    def _check_model(self, candidate: ModelRef) -> None:
        model = self._settings.model
        if candidate.name != model:
            raise ModelRefused(f"The endpoint {self._endpoint.name} serves {model}, not {candidate.name}.")

    def _wanted(self, candidate: ModelRef) -> Candidate:
        return Candidate(candidate.version, self._models.ensure(candidate))

    def _named(self, name: str) -> Endpoint:
        patience = self._settings.patience
        return Endpoint(self._aws, name, patience=patience, now=self._now, sleep=self._sleep)
