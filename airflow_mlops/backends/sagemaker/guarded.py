"""Traffic by updates that SageMaker shifts, watches and takes back itself: blue/green with guardrails."""

from __future__ import annotations

from airflow_mlops.backends.sagemaker.endpoint import Endpoint, Seen
from airflow_mlops.backends.sagemaker.note import Note
from airflow_mlops.backends.sagemaker.rules import refuse_stranger
from airflow_mlops.backends.sagemaker.settings import Guardrails, Settings
from airflow_mlops.backends.sagemaker.variants import alone
from airflow_mlops.backends.sagemaker.way import Candidate
from airflow_mlops.core.values import Deployment
from airflow_mlops.exceptions import ConfigError, ModelRefused, RolloutRefused


class GuardedUpdates:
    """See ``Way``. The candidate is tried on an endpoint of its own, since guardrails want the same variants
    before and after; then it takes the champion's place in one update that SageMaker may roll back."""

    def __init__(
        self, endpoint: Endpoint, trial: Endpoint, settings: Settings, guardrails: Guardrails
    ) -> None:
        self._endpoint = endpoint
        self._trial = trial
        self._settings = settings
        self._guardrails = guardrails

    def bring_up(self, seen: Seen, candidate: Candidate) -> Deployment:
        live = seen.variant(candidate.version)
        if live is not None:
            return Deployment(True, f"version {candidate.version} stands on endpoint {self._endpoint.name}")
        name, trial = self._trial.name, self._tried()
        if trial is None:
            content = alone(self._settings, None, candidate.version, candidate.model_name)
            note = Note(model=self._settings.model, challenger=candidate.version)
            self._trial.create(self._endpoint.configure(content), note)
            return Deployment(False, f"endpoint {name} is being made for version {candidate.version}")
        if trial.status != "Deleting" and trial.variant(candidate.version) is None:
            self._trial.delete()
            return Deployment(False, f"endpoint {name}, of another version, is being deleted")
        if trial.is_broken:
            raise ModelRefused(self._trial.broken(trial))
        if trial.is_busy:
            return Deployment(False, f"endpoint {name} is {trial.status}")
        return Deployment(True, f"version {candidate.version} is up on endpoint {name}")

    def place(self, seen: Seen, version: str) -> tuple[str, str] | None:
        live = seen.variant(version)
        if live is not None:
            return self._endpoint.name, live.name
        trial = self._tried()
        variant = None if trial is None or trial.status != "InService" else trial.variant(version)
        return None if variant is None else (self._trial.name, variant.name)

    def shift(self, seen: Seen, candidate: Candidate, mode: str, weight: float) -> Seen:
        if mode != "canary" or weight != 1.0:
            raise ConfigError(
                f"With deploy.target.guardrails SageMaker moves all of the traffic or none, and there is no "
                f"{mode} at weight {weight:g}. Set strategy: blue_green or direct, or leave guardrails out."
            )
        return self.crown(seen, candidate)

    def crown(self, seen: Seen, candidate: Candidate) -> Seen:
        """Under the guardrails. Raises ``ModelRefused`` where SageMaker takes it back."""
        content = alone(self._settings, seen, candidate.version, candidate.model_name)
        try:
            config = self._endpoint.configure(content)
            return self._endpoint.update(seen, config, self._guardrails.deployment())
        except ModelRefused as error:
            alarms = ", ".join(self._guardrails.alarms)
            raise ModelRefused(f"{error} It watches the alarms {alarms}.") from error

    def give_back(self, seen: Seen) -> Seen:
        """At once, and without the alarms: they may well sound for what is to be left behind."""
        if seen.variant(seen.note.champion) is not None:
            return seen
        if seen.note.home is None:
            raise RolloutRefused(
                f"The endpoint {self._endpoint.name} does not say which configuration its champion, version "
                f"{seen.note.champion}, had; promote a version by hand to put it right."
            )
        return self._endpoint.update(seen, seen.note.home)

    def tidy(self, seen: Seen) -> Seen:
        if self._tried() is not None:
            self._trial.delete()
        return seen

    def _tried(self) -> Seen | None:
        trial = self._trial.look()
        if trial is not None:
            refuse_stranger(trial, self._trial.name, self._settings.model)
        return trial
