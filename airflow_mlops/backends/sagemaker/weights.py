"""Traffic by variant weights: champion and candidate stand on one endpoint, and this package judges."""

from __future__ import annotations

from airflow_mlops.backends.sagemaker.endpoint import Endpoint, Seen, Variant
from airflow_mlops.backends.sagemaker.settings import Settings
from airflow_mlops.backends.sagemaker.variants import alone, beside, shadowed
from airflow_mlops.backends.sagemaker.way import Candidate
from airflow_mlops.core.values import Deployment
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused, RolloutRefused


class VariantWeights:
    """See ``Way``. A change of weights takes seconds; one of who stands there takes SageMaker minutes."""

    def __init__(self, endpoint: Endpoint, settings: Settings) -> None:
        self._endpoint = endpoint
        self._settings = settings

    def bring_up(self, seen: Seen, candidate: Candidate) -> Deployment:
        if any(one.version == candidate.version for one in seen.variants):
            return Deployment(True, f"version {candidate.version} stands on endpoint {self._endpoint.name}")
        config = self._endpoint.configure(beside(self._settings, seen, _champion(seen), candidate.model_name))
        if self._endpoint.was_rolled_back(seen, config):
            raise self._endpoint.rolled_back(seen, config)
        if seen.note.update != config:
            self._endpoint.begin_update(seen, config)
        return Deployment(
            False, f"endpoint {self._endpoint.name} is being updated to have version {candidate.version}"
        )

    def place(self, seen: Seen, version: str) -> tuple[str, str] | None:
        variant = seen.variant(version)
        return None if variant is None else (self._endpoint.name, variant.name)

    def shift(self, seen: Seen, candidate: Candidate, mode: str, weight: float) -> Seen:
        champion = _champion(seen)
        if mode == "shadow":
            if seen.variant(candidate.version, shadow=True) is not None:
                return seen
            content = shadowed(self._settings, seen, champion, candidate.model_name)
            return self._endpoint.update(seen, self._endpoint.configure(content))
        if seen.variant(candidate.version) is None:
            content = beside(self._settings, seen, champion, candidate.model_name)
            seen = self._endpoint.update(seen, self._endpoint.configure(content))
        return self._weigh(seen, candidate.version, weight)

    def crown(self, seen: Seen, candidate: Candidate) -> Seen:
        """By weights where the candidate stands there, which takes seconds."""
        if seen.variant(candidate.version) is not None:
            return self._weigh(seen, candidate.version, 1.0)
        content = alone(self._settings, seen, candidate.version, candidate.model_name)
        return self._endpoint.update(seen, self._endpoint.configure(content))

    def give_back(self, seen: Seen) -> Seen:
        return self._weigh(seen, _champion(seen).version, 1.0)

    def tidy(self, seen: Seen) -> Seen:
        champion = _champion(seen)
        if len(seen.variants) == 1:
            return seen
        content = alone(self._settings, seen, champion.version or "", "")
        try:
            return self._endpoint.update(seen, self._endpoint.configure(content))
        except ModelRefused as error:
            raise BackendUnavailable(
                f"Version {champion.version} answers everything on endpoint {self._endpoint.name}, but the "
                f"other variant could not be taken away; repeat the change. {error}"
            ) from error

    def _weigh(self, seen: Seen, version: str | None, share: float) -> Seen:
        """Give one production variant its share, and the other one the rest."""
        production = [one for one in seen.variants if not one.shadow]
        weights = {one.name: share if one.version == version else 1.0 - share for one in production}
        return seen if len(weights) == 1 else self._endpoint.weigh(seen, weights)


def _champion(seen: Seen) -> Variant:
    champion = seen.variant(seen.note.champion)
    if champion is None:
        raise RolloutRefused(
            f"The champion, version {seen.note.champion}, no longer stands on the endpoint, which serves "
            f"{', '.join(str(one) for one in seen.serving)}: somebody else has changed it. Promote a version "
            "by hand to put it right."
        )
    return champion
