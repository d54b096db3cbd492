"""One model's InferenceService: read, changed against what was read, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_mlops.backends.kserve.manifests import (
    DEPLOYMENT_MODE,
    INFERENCE_SERVICES,
    MODE_NAMES,
    RUNTIMES,
    Manifests,
)
from airflow_mlops.backends.kserve.settings import KServeSettings
from airflow_mlops.backends.kserve.state import Seen, State, read
from airflow_mlops.backends.kube.api import KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.words import refused
from airflow_mlops.exceptions import BackendUnavailable, ConfigError, ModelRefused

Change = tuple[State, Object]
_TRIES = 20


class Service:
    """The object. A change is one merge patch of spec and notes together, bound to the version that it was
    made of: where KServe or somebody else wrote in between, it is made anew."""

    def __init__(
        self, api: KubeApi, settings: KServeSettings, manifests: Manifests, poll_seconds: float
    ) -> None:
        self._api = api
        self._settings = settings
        self._manifests = manifests
        self._poll_seconds = poll_seconds

    def read(self) -> Seen:
        """Raises ``ConfigError`` where it is of another mode than the YAML's, or its notes are not ours."""
        body = self._api.get(INFERENCE_SERVICES, self._settings.namespace, self._settings.base)
        try:
            seen = read(body)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.place} has annotations that are not this package's ({error}). Delete it and promote "
                "the champion again."
            ) from error
        self._check_mode(seen)
        return seen

    def change(self, make: Callable[[Seen], Change | None]) -> Seen:
        """Write what ``make`` makes of what is there; None where nothing is to be written."""
        for _ in range(_TRIES):
            seen = self.read()
            change = make(seen)
            if change is None:
                return seen
            try:
                return self._write(seen, *change)
            except KubeRefused as error:
                if error.code != 409:
                    raise refused(error, self.place) from error
                time.sleep(self._poll_seconds)
        raise BackendUnavailable(
            f"{self.place} is being changed by somebody else all the time; look who that is with `kubectl "
            f"get isvc {self._settings.base} --show-managed-fields -o yaml`, then repeat it"
        )

    def wait(self, missing: Callable[[Seen], str | None]) -> Seen:
        """Until nothing is missing. Raises ``BackendUnavailable`` with what is, after the timeout."""
        deadline = time.monotonic() + self._settings.timeout_seconds
        while (why := missing(seen := self.read())) is not None:
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"{self.place} is not as it was told to be after {self._settings.timeout_seconds:g} "
                    f"seconds: {why}. It goes on; so does the same call"
                )
            time.sleep(self._poll_seconds)
        return seen

    def _write(self, seen: Seen, state: State, spec: Object) -> Seen:
        namespace, base = self._settings.namespace, self._settings.base
        notes = state.annotations()
        if not seen.body:
            self._make_runtime()
            kept = {name: value for name, value in notes.items() if value is not None}
            return read(
                self._api.create(
                    INFERENCE_SERVICES, namespace, self._manifests.service(spec["predictor"], kept)
                )
            )
        metadata = {"resourceVersion": seen.body["metadata"]["resourceVersion"], "annotations": notes}
        patch = {"metadata": metadata, **({"spec": spec} if spec else {})}
        return read(self._api.merge(INFERENCE_SERVICES, namespace, base, patch))

    def _make_runtime(self) -> None:
        if self._api.get(RUNTIMES, self._settings.namespace, self._settings.base) is None:
            self._api.create(RUNTIMES, self._settings.namespace, self._manifests.runtime())

    def _check_mode(self, seen: Seen) -> None:
        noted = (seen.body.get("metadata", {}).get("annotations") or {}).get(DEPLOYMENT_MODE)
        found = seen.status.get("deploymentMode") or noted
        if found is not None and found not in MODE_NAMES[self._settings.mode]:
            raise ConfigError(
                f"{self.place} is in KServe's mode {found}, and deploy.target.mode is {self._settings.mode}. "
                "KServe does not change the mode of an InferenceService: put the YAML right, or delete the "
                "InferenceService and promote the champion again."
            )

    def check_model(self, name: str) -> None:
        if name != self._settings.model:
            raise ModelRefused(f"{self.place} serves {self._settings.model}, not {name}.")

    @property
    def place(self) -> str:
        """For messages."""
        return f"InferenceService {self._settings.namespace}/{self._settings.base}"
