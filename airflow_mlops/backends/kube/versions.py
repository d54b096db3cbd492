"""The Deployments and Services of a model's versions: made, waited for, asked, and taken down."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from airflow_mlops.backends.kube.api import DEPLOYMENTS, PODS, SERVICES, Kind, KubeApi, KubeRefused, Object
from airflow_mlops.backends.kube.manifests import CONTAINER, ROLLOUT, VERSION_LABEL, Manifests
from airflow_mlops.backends.kube.progress import Progress, Stuck, progress, ready
from airflow_mlops.backends.kube.settings import KubernetesSettings
from airflow_mlops.backends.kube.words import refused
from airflow_mlops.backends.plain_json import plain_rows
from airflow_mlops.core.values import ModelRef
from airflow_mlops.exceptions import BackendUnavailable, ModelRefused

_LOG_LINES = 15


class Versions:
    """What serves each version. Every call may be repeated."""

    def __init__(
        self, api: KubeApi, settings: KubernetesSettings, manifests: Manifests, poll_seconds: float
    ) -> None:
        self._api = api
        self._settings = settings
        self._manifests = manifests
        self._poll_seconds = poll_seconds

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
        found = progress(deployment, self.pods(version))
        if found.stuck is not None:
            raise self._refusal(version, found.stuck)
        return found

    def pods(self, version: str) -> list[Object]:
        return self._api.find(PODS, self._settings.namespace, self._manifests.selector(version))

    def smoke(self, candidate: ModelRef, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Predict rows by one of a version's pods, off the live path and not counted."""
        body = {"model": candidate.name, "version": candidate.version, "rows": plain_rows(rows)}
        answer = self._ask(candidate.version, "POST", "/admin/smoke", body)
        if answer.status_code == 422:
            raise ModelRefused(f"{candidate} refused the rows: {_sentence(_detail(answer))}")
        if answer.status_code != 200:
            raise BackendUnavailable(f"a pod of {candidate} answered {answer.status_code}: {_detail(answer)}")
        predictions: list[Any] = answer.json()["predictions"]
        return predictions

    def check_same_requests(self, champion: str, challenger: str) -> None:
        """Raises ``ModelRefused`` where the challenger needs what the champion's callers do not send."""
        theirs, ours = self._row(champion), self._row(challenger)
        if missing := sorted(set(ours.get("required", ())) - theirs.get("properties", {}).keys()):
            raise ModelRefused(
                f"Version {challenger} needs {', '.join(missing)}, which requests to version {champion} do "
                "not carry. Promote it by hand if that is meant."
            )

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

    def _row(self, version: str) -> Object:
        """The schema of a row in the version's own description of its API."""
        page = self._ask(version, "GET", "/openapi.json")
        if page.status_code != 200:
            raise BackendUnavailable(f"a pod of version {version} answered {page.status_code}")
        found: Object = page.json().get("components", {}).get("schemas", {}).get("Row", {})
        return found

    def _ask(self, version: str, method: str, path: str, body: Any = None) -> httpx.Response:
        for pod in ready(self.pods(version)):
            try:
                return self._api.ask_pod(
                    self._settings.namespace,
                    pod["metadata"]["name"],
                    self._settings.port,
                    method,
                    path,
                    body,
                )
            except KubeRefused:
                continue  # It has gone since the list was made.
        raise BackendUnavailable(f"Deployment {self._place(version)} has no pod that takes requests")

    def _refusal(self, version: str, stuck: Stuck) -> ModelRefused:
        said = f"Version {version} does not come up: pod {stuck.pod} is in {stuck.reason}"
        if stuck.ended is None:
            return ModelRefused(f"{said} ({stuck.message})")
        words = self._last_words(stuck) or "it said nothing"
        return ModelRefused(f"{said}; it ended ({stuck.ended}) with: {words}")

    def _last_words(self, stuck: Stuck) -> str:
        """Of the container that ended; it may have been started again since, and have said nothing yet."""
        try:
            return self._said(stuck.pod) or self._said(stuck.pod, previous=True)
        except (KubeRefused, BackendUnavailable) as error:
            return f"(its log cannot be read: {error})"

    def _said(self, pod: str, *, previous: bool = False) -> str:
        namespace = self._settings.namespace
        log = self._api.logs(namespace, pod, container=CONTAINER, lines=_LOG_LINES, previous=previous)
        return log.strip()

    def _place(self, version: str) -> str:
        return f"{self._settings.namespace}/{self._manifests.name(version)}"


def _rollout(deployment: Object) -> str:
    found: str = (deployment["metadata"].get("annotations") or {}).get(ROLLOUT, "")
    return found


def _detail(answer: httpx.Response) -> Any:
    try:
        return answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]


def _sentence(reason: Any) -> str:
    """The server's refusal: words, or a list of the fields at fault."""
    if not isinstance(reason, list):
        return str(reason)
    return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in reason)
