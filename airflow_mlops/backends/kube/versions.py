"""The Deployments and Services of a model's versions: made, waited for, and taken down."""

from __future__ import annotations

import time

from airflow_mlops.backends.kube.api import DEPLOYMENTS, SERVICES, Kind, KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.manifests import ROLLOUT, Manifests
from airflow_mlops.backends.kube.pods import VERSION_LABEL, Pods
from airflow_mlops.backends.kube.progress import Progress, progress
from airflow_mlops.backends.kube.settings import KubernetesSettings
from airflow_mlops.backends.kube.words import CONTAINER, refused
from airflow_mlops.exceptions import BackendUnavailable


class Versions:
    """What serves each version. Every call may be repeated."""

    def __init__(
        self, api: KubeApi, settings: KubernetesSettings, manifests: Manifests, poll_seconds: float
    ) -> None:
        self._api = api
        self._settings = settings
        self._manifests = manifests
        self._poll_seconds = poll_seconds
        self.pods = Pods(api, settings, manifests, container=CONTAINER)

    def make(self, version: str, rollout_id: str | None = None) -> None:
        """Apply a version's objects. Without a rollout, the one that they were made for is kept."""
        known = self._api.get(DEPLOYMENTS, self._settings.namespace, self._manifests.name(version))
        if rollout_id is None:
            rollout_id = _rollout(known) if known is not None else ""
        body = self._manifests.deployment(version, rollout_id, replicas=self._replicas(known))
        self._apply(DEPLOYMENTS, body)
        self._apply(SERVICES, self._manifests.service(version))

    def bring_up(self, version: str, rollout_id: str | None = None) -> None:
        """Make it, and wait until all its replicas take requests. Raises ``ModelRefused`` as soon as a pod is
        stuck, and ``BackendUnavailable`` with how far it is after the target's timeout."""
        self.make(version, rollout_id)
        deadline = time.monotonic() + self._settings.timeout_seconds
        while not (found := self.progress(version)).ready:
            if time.monotonic() > deadline:
                raise BackendUnavailable(
                    f"Deployment {self._place(version)} is not up after {self._settings.timeout_seconds:g} "
                    f"seconds: {found.said}. It goes on; so does the same call"
                )
            time.sleep(self._poll_seconds)

    def progress(self, version: str) -> Progress:
        """How far it is. Raises ``ModelRefused`` where a pod is stuck, with its last words."""
        deployment = self._api.get(DEPLOYMENTS, self._settings.namespace, self._manifests.name(version))
        if deployment is None:
            raise BackendUnavailable(
                f"Deployment {self._place(version)} is gone; somebody has deleted it. Repeat the change"
            )
        found = progress(deployment, self.pods.of(version))
        if found.stuck is not None:
            raise self.pods.refusal(version, found.stuck)
        return found

    def tidy(self, champion: str, previous: str | None) -> None:
        """After a promotion: the champion before as the policy says, and every other version removed."""
        for version in self._known() - {champion}:
            if version != previous or self._settings.previous == "remove":
                self._remove(version)
            elif self._settings.previous == "scale_down":
                self._apply(DEPLOYMENTS, self._manifests.deployment(version, "", replicas=0), force=True)

    def remove_rollout(self, rollout_id: str, challenger: str | None, kept: set[str | None]) -> None:
        """Take down the challenger of a rollout, and whatever else was made for it."""
        for one in self._api.find(DEPLOYMENTS, self._settings.namespace, self._manifests.labels):
            version = one["metadata"]["labels"][VERSION_LABEL]
            if (version == challenger or _rollout(one) == rollout_id) and version not in kept:
                self._remove(version)

    def _replicas(self, known: Object | None) -> int | None:
        """As configured. Where they are left to an autoscaler, one that stands at nought is woken: an
        autoscaler does not look at a Deployment that was scaled to nothing."""
        configured = self._settings.replicas
        if configured is None and known is not None and known["spec"].get("replicas") == 0:
            return 1
        return configured

    def _known(self) -> set[str]:
        found = self._api.find(DEPLOYMENTS, self._settings.namespace, self._manifests.labels)
        return {one["metadata"]["labels"][VERSION_LABEL] for one in found}

    def _remove(self, version: str) -> None:
        for kind in (DEPLOYMENTS, SERVICES):
            self._api.delete(kind, self._settings.namespace, self._manifests.name(version))

    def _apply(self, kind: Kind, body: Object, *, force: bool = False) -> None:
        try:
            self._api.apply(kind, self._settings.namespace, body, force=force)
        except KubeRefused as error:
            raise refused(error, f"{kind} {self._settings.namespace}/{body['metadata']['name']}") from error

    def _place(self, version: str) -> str:
        return f"{self._settings.namespace}/{self._manifests.name(version)}"


def _rollout(deployment: Object) -> str:
    found: str = (deployment["metadata"].get("annotations") or {}).get(ROLLOUT, "")
    return found
